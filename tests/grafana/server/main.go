// A server that stands in for Grafana: it decodes every request with Grafana's own API models, refuses what they do not
// know, and keeps what it was given. It listens on a free port of the loopback interface, prints its URL, and ends when its
// standard input does.
//
// Below /_test/ the tests see what it was asked, and say what shall go wrong.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	server := newServer()
	flag.StringVar(&server.password, "password", "", "the password of the user admin")
	flag.StringVar(&server.version, "version", "12.1.0", "the version that it says it is")
	flag.BoolVar(&server.migrates, "migrates", false, "bring dashboards into another form, as a newer Grafana does")
	certificate := flag.String("certificate", "", "listen by TLS, too, with this certificate (PEM), and print that URL next")
	key := flag.String("key", "", "its key (PEM)")
	flag.Parse()

	listener := listen()
	fmt.Printf("http://%s\n", listener.Addr())
	if *certificate != "" {
		encrypted := listen()
		fmt.Printf("https://localhost:%d\n", encrypted.Addr().(*net.TCPAddr).Port)
		go func() { log.Fatal(http.ServeTLS(encrypted, server, *certificate, *key)) }()
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(http.Serve(listener, server))
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return listener
}
