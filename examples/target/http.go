package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// What one request may ask for.
const (
	maxDelay     = 60 * time.Second
	maxBytes     = 64 << 20 // of an answer by /bytes
	maxBodyBytes = 1 << 20  // of a request
	maxRedirects = 20
)

const index = `target: something to aim a load test at

GET  /                 this text, at once
GET  /delay/{ms}       the same after ms milliseconds
ANY  /status/{code}    an answer with this status, 200 to 599
GET  /flaky?rate=0.1   503 for this share of the requests, evenly spread, else 200
GET  /bytes/{n}        n bytes
GET  /redirect/{n}     n redirects, then /
POST /json             the JSON document that was sent
GET  /ws               WebSocket, each message is sent back
`

// handler holds what requests share.
type handler struct {
	// One counter for each rate in thousandths, so that the same sequence of requests with one
	// rate always fails at the same places, whatever other rates are asked for.
	flaky   [1001]atomic.Uint64
	sockets socketSet
}

func newHTTPServer() *http.Server {
	h := &handler{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.index)
	mux.HandleFunc("GET /delay/{ms}", h.delay)
	mux.HandleFunc("/status/{code}", h.status)
	mux.HandleFunc("GET /flaky", h.flakyEndpoint)
	mux.HandleFunc("GET /bytes/{n}", h.bytes)
	mux.HandleFunc("GET /redirect/{n}", h.redirect)
	mux.HandleFunc("POST /json", h.json)
	mux.HandleFunc("GET /ws", h.webSocket)
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	server.RegisterOnShutdown(h.sockets.closeAll) // Shutdown does not know of hijacked connections
	return server
}

func (h *handler) index(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, index)
}

func (h *handler) delay(w http.ResponseWriter, r *http.Request) {
	ms, ok := pathNumber(w, r, "ms", 0, int(maxDelay.Milliseconds()))
	if !ok {
		return
	}
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		writeText(w, http.StatusOK, fmt.Sprintf("after %d ms\n", ms))
	case <-r.Context().Done(): // nobody waits for the answer any more
	}
}

func (h *handler) status(w http.ResponseWriter, r *http.Request) {
	// 1xx answers are not final: a client would go on waiting.
	code, ok := pathNumber(w, r, "code", 200, 599)
	if !ok {
		return
	}
	if code == http.StatusNoContent || code == http.StatusNotModified {
		w.WriteHeader(code)
		return
	}
	writeText(w, code, fmt.Sprintf("%d %s\n", code, http.StatusText(code)))
}

func (h *handler) flakyEndpoint(w http.ResponseWriter, r *http.Request) {
	rate := 0.1
	if text := r.URL.Query().Get("rate"); text != "" {
		var err error
		if rate, err = strconv.ParseFloat(text, 64); err != nil || !(rate >= 0 && rate <= 1) {
			writeText(w, http.StatusBadRequest, "rate must be a number from 0 to 1\n")
			return
		}
	}
	thousandths := uint64(rate*1000 + 0.5)
	if fails(h.flaky[thousandths].Add(1), thousandths) {
		writeText(w, http.StatusServiceUnavailable, "failed, as asked\n")
		return
	}
	writeText(w, http.StatusOK, "fine this time\n")
}

// fails says whether the nth request, counted from 1, is one of those that fail. Of any thousand
// requests in a row exactly thousandths do, evenly spread.
func fails(nth, thousandths uint64) bool {
	return nth*thousandths/1000 > (nth-1)*thousandths/1000
}

func (h *handler) bytes(w http.ResponseWriter, r *http.Request) {
	n, ok := pathNumber(w, r, "n", 0, maxBytes)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(n))
	chunk := bytes.Repeat([]byte("lb-log target. "), 1024)
	for n > 0 {
		written, err := w.Write(chunk[:min(n, len(chunk))])
		if err != nil {
			return // the client has gone
		}
		n -= written
	}
}

func (h *handler) redirect(w http.ResponseWriter, r *http.Request) {
	n, ok := pathNumber(w, r, "n", 1, maxRedirects)
	if !ok {
		return
	}
	to := "/"
	if n > 1 {
		to = fmt.Sprintf("/redirect/%d", n-1)
	}
	http.Redirect(w, r, to, http.StatusFound)
}

func (h *handler) json(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		writeText(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("at most %d bytes\n", tooLarge.Limit))
		return
	}
	if err != nil || !json.Valid(body) {
		writeText(w, http.StatusBadRequest, "the body is not a JSON document\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // an error here means that the client has gone
}

// pathNumber reads a number from the path. Where there is none within the bounds it answers 400.
func pathNumber(w http.ResponseWriter, r *http.Request, name string, least, most int) (int, bool) {
	n, err := strconv.Atoi(r.PathValue(name))
	if err != nil || n < least || n > most {
		writeText(w, http.StatusBadRequest, fmt.Sprintf("%s must be a whole number from %d to %d\n", name, least, most))
		return 0, false
	}
	return n, true
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // an error here means that the client has gone
}
