module github.com/lb-log/lb-log/examples/target

go 1.25.0

// The versions that k6 v2.2.0 has, so that the workspace builds xk6-lb against k6's own choice.
require (
	github.com/gorilla/websocket v1.5.3
	google.golang.org/grpc v1.83.0
)

require (
	golang.org/x/net v0.57.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/text v0.40.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260720211330-0afa2a65878a // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)
