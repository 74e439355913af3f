package main

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

// stopper is the part of a gRPC server that ends it.
type stopper interface {
	GracefulStop()
	Stop()
}

// newGRPCServer serves grpc.health.v1.Health: Check for the services "" and "target" answers
// SERVING, for any other NOT_FOUND; Watch streams. Reflection is on, so that a client needs no
// .proto file (in k6: connect(address, {plaintext: true, reflect: true})).
func newGRPCServer() *grpc.Server {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessageBytes))
	status := health.NewServer()
	status.SetServingStatus("target", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(server, status)
	reflection.Register(server)
	return server
}
