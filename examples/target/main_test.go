package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// start runs the whole program and returns its addresses; the end of the test stops it.
func start(t *testing.T) addresses {
	t.Helper()
	portFile := filepath.Join(t.TempDir(), "ports.json")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, options{listen: "127.0.0.1:0", grpcListen: "localhost:0", portFile: portFile}, io.Discard)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(2 * stopTimeout):
			t.Error("the server did not stop")
		}
	})
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		content, err := os.ReadFile(portFile)
		if err != nil {
			continue
		}
		var at addresses
		if err := json.Unmarshal(content, &at); err != nil {
			t.Fatalf("port file %q: %v", content, err)
		}
		return at
	}
	t.Fatal("no port file")
	return addresses{}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	handler := newHTTPServer().Handler
	for _, c := range []struct {
		method, path, body string
		status             int
		answer             string // a part of it
	}{
		{"GET", "/", "", 200, "GET  /delay/{ms}"},
		{"GET", "/nowhere", "", 404, ""},
		{"GET", "/delay/1", "", 200, "after 1 ms"},
		{"GET", "/delay/60001", "", 400, "from 0 to 60000"},
		{"GET", "/delay/-1", "", 400, "from 0 to 60000"},
		{"GET", "/status/204", "", 204, ""},
		{"PUT", "/status/418", "", 418, "teapot"},
		{"GET", "/status/599", "", 599, "599"},
		{"GET", "/status/100", "", 400, "from 200 to 599"},
		{"GET", "/flaky?rate=0", "", 200, "fine"},
		{"GET", "/flaky?rate=1", "", 503, "as asked"},
		{"GET", "/flaky?rate=1.1", "", 400, "from 0 to 1"},
		{"GET", "/flaky?rate=NaN", "", 400, "from 0 to 1"},
		{"GET", "/bytes/0", "", 200, ""},
		{"GET", "/bytes/67108865", "", 400, "67108864"},
		{"GET", "/redirect/0", "", 400, "from 1 to 20"},
		{"POST", "/json", `{"a": [1, null]}`, 200, `{"a": [1, null]}`},
		{"POST", "/json", `{"a": `, 400, "not a JSON document"},
		{"POST", "/json", `"` + strings.Repeat("x", maxBodyBytes) + `"`, 413, "1048576"},
		{"GET", "/json", "", 405, ""},
		{"GET", "/ws", "", 400, ""},
	} {
		request := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != c.status || !strings.Contains(answer.Body.String(), c.answer) {
			t.Errorf("%s %s: got %d %q, want %d and %q", c.method, c.path, answer.Code, answer.Body, c.status, c.answer)
		}
	}
}

func TestBytesAreCounted(t *testing.T) {
	t.Parallel()
	answer := httptest.NewRecorder()
	newHTTPServer().Handler.ServeHTTP(answer, httptest.NewRequest("GET", "/bytes/100000", nil))
	if got := answer.Body.Len(); got != 100000 {
		t.Errorf("got %d bytes", got)
	}
}

func TestFlakyFailsEvenly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ thousandths, most int }{{0, 0}, {1, 1}, {100, 10}, {333, 34}, {1000, 100}} {
		total, inARow, failed := 0, 0, 0
		for n := 1; n <= 1000; n++ {
			if fails(uint64(n), uint64(c.thousandths)) {
				total++
			}
			if n%100 == 0 { // a hundred requests have their share, give or take one
				inARow = max(inARow, total-failed)
				failed = total
			}
		}
		if total != c.thousandths || inARow > c.most {
			t.Errorf("%d of a thousand: got %d, at most %d of a hundred", c.thousandths, total, inARow)
		}
	}
}

func TestRedirectsEndAtTheIndex(t *testing.T) {
	t.Parallel()
	at := start(t)
	answer, err := http.Get(at.HTTP + "/redirect/3")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 || answer.Request.URL.Path != "/" {
		t.Errorf("got %d at %s", answer.StatusCode, answer.Request.URL)
	}
}

func TestWebSocketEchoesAndIsToldOfTheEnd(t *testing.T) {
	t.Parallel()
	var connection *websocket.Conn
	t.Run("echo", func(t *testing.T) { // the server stops when this part ends
		at := start(t)
		var err error
		url := "ws" + strings.TrimPrefix(at.HTTP, "http") + "/ws"
		if connection, _, err = websocket.DefaultDialer.Dial(url, nil); err != nil {
			t.Fatal(err)
		}
		if err := connection.WriteMessage(websocket.BinaryMessage, []byte("a\x00b")); err != nil {
			t.Fatal(err)
		}
		kind, message, err := connection.ReadMessage()
		if err != nil || kind != websocket.BinaryMessage || string(message) != "a\x00b" {
			t.Errorf("got %d %q %v", kind, message, err)
		}
	})
	if connection == nil {
		t.FailNow()
	}
	defer connection.Close()
	if _, _, err := connection.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("got %v, want a close message", err)
	}
}

func TestGRPCHealth(t *testing.T) {
	t.Parallel()
	at := start(t)
	connection, err := grpc.NewClient(at.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer, err := healthpb.NewHealthClient(connection).Check(ctx, &healthpb.HealthCheckRequest{Service: "target"})
	if err != nil || answer.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("got %v, %v", answer, err)
	}
}

func TestOnlyLoopbackUnlessAllowed(t *testing.T) {
	t.Parallel()
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		if listener, err := listen(address, false); err == nil {
			t.Errorf("%s: listens on %s", address, listener.Addr())
			_ = listener.Close()
		} else if !strings.Contains(err.Error(), "-allow-remote") {
			t.Errorf("%s: the message says nothing of -allow-remote: %v", address, err)
		}
	}
	listener, err := listen("0.0.0.0:0", true)
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
}

func TestAPortTakenIsAnError(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = run(context.Background(), options{listen: "127.0.0.1:0", grpcListen: taken.Addr().String()}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("got %v", err)
	}
}
