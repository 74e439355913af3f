// Command target is a small HTTP, WebSocket and gRPC server to aim load tests at.
//
// It prints the addresses it got on stdout, one line each:
//
//	listening on http://127.0.0.1:40123
//	listening on grpc://127.0.0.1:40124
//
// and stops gracefully at SIGTERM or SIGINT. It serves whoever can reach it, without limits that a
// public server would need, and therefore listens on loopback addresses only, unless told otherwise.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// stopTimeout is how long requests under way may take to end once a signal has arrived.
const stopTimeout = 5 * time.Second

type options struct {
	listen      string
	grpcListen  string
	portFile    string
	allowRemote bool
}

// addresses is what the port file holds, as JSON.
type addresses struct {
	HTTP string `json:"http"` // base URL
	GRPC string `json:"grpc"` // host:port, as k6's grpc.Client.connect takes it
}

func main() {
	options, err := parseOptions(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2) // the flag package has said why
	}
	// After the first signal the default action is back: a second Ctrl-C ends the process at once.
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	context.AfterFunc(ctx, restore)

	if err := run(ctx, options, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "target: %v\n", err)
		os.Exit(1)
	}
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("target", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "`address` of HTTP and WebSocket; port 0 takes a free one")
	flags.StringVar(&o.grpcListen, "grpc-listen", "127.0.0.1:0", "`address` of gRPC; empty: no gRPC")
	flags.StringVar(&o.portFile, "port-file", "", "write the addresses to this `file`, as JSON, once both are served")
	flags.BoolVar(&o.allowRemote, "allow-remote", false, "listen on addresses that other machines can reach")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", flags.Arg(0))
		fmt.Fprintf(stderr, "target: %v\n", err)
		return o, err
	}
	return o, nil
}

// run serves until ctx ends. A stop in good order is no error.
func run(ctx context.Context, o options, stdout io.Writer) error {
	httpListener, err := listen(o.listen, o.allowRemote)
	if err != nil {
		return err
	}
	at := addresses{HTTP: "http://" + httpListener.Addr().String()}

	var grpcListener net.Listener
	if o.grpcListen != "" {
		if grpcListener, err = listen(o.grpcListen, o.allowRemote); err != nil {
			return errors.Join(err, httpListener.Close())
		}
		at.GRPC = grpcListener.Addr().String()
	}

	failed := make(chan error, 2)
	web := newHTTPServer()
	go func() { failed <- web.Serve(httpListener) }()
	rpc := newGRPCServer()
	if grpcListener != nil {
		go func() { failed <- rpc.Serve(grpcListener) }()
	}

	if err := announce(at, o.portFile, stdout); err != nil {
		return errors.Join(err, stop(web, rpc))
	}
	select {
	case <-ctx.Done():
		return stop(web, rpc)
	case err := <-failed:
		return errors.Join(err, stop(web, rpc))
	}
}

// announce tells people (stdout) and programs (the port file) where the server listens.
func announce(at addresses, portFile string, stdout io.Writer) error {
	text := fmt.Sprintf("listening on %s\n", at.HTTP)
	if at.GRPC != "" {
		text += fmt.Sprintf("listening on grpc://%s\n", at.GRPC)
	}
	if _, err := io.WriteString(stdout, text); err != nil {
		return err
	}
	if portFile == "" {
		return nil
	}
	content, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return writeFileAtomically(portFile, append(content, '\n'))
}

// writeFileAtomically lets a reader who waits for path see all of content or no file.
func writeFileAtomically(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// listen opens address, and refuses one that is not loopback unless allowRemote.
func listen(address string, allowRemote bool) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	if !allowRemote && !resolved.IP.IsLoopback() { // an empty host has a nil IP: all interfaces
		return nil, fmt.Errorf("%s is not a loopback address: give -allow-remote to serve other machines", address)
	}
	return net.ListenTCP("tcp", resolved)
}

// stop lets requests under way end, for at most stopTimeout.
func stop(web *http.Server, rpc stopper) error {
	done := make(chan struct{})
	go func() {
		rpc.GracefulStop()
		close(done)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := web.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = web.Close()
	}
	select {
	case <-done:
	case <-ctx.Done():
		rpc.Stop()
	}
	return err
}
