package main

import (
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const maxMessageBytes = 1 << 20

// Any origin may connect: the server holds nothing that would need protection.
var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}

// webSocket sends each message back until the client, or the server's end, closes the connection.
func (h *handler) webSocket(w http.ResponseWriter, r *http.Request) {
	connection, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer connection.Close()
	if !h.sockets.add(connection) {
		return
	}
	defer h.sockets.remove(connection)

	connection.SetReadLimit(maxMessageBytes)
	for {
		kind, message, err := connection.ReadMessage()
		if err != nil {
			return
		}
		if err := connection.WriteMessage(kind, message); err != nil {
			return
		}
	}
}

// socketSet knows the open connections, so that the server can end them.
type socketSet struct {
	mutex  sync.Mutex
	closed bool
	open   map[*websocket.Conn]struct{}
}

// add is false once closeAll was called.
func (s *socketSet) add(connection *websocket.Conn) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return false
	}
	if s.open == nil {
		s.open = map[*websocket.Conn]struct{}{}
	}
	s.open[connection] = struct{}{}
	return true
}

func (s *socketSet) remove(connection *websocket.Conn) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.open, connection)
}

// closeAll tells each client that the server goes away, and hangs up.
func (s *socketSet) closeAll() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.closed = true
	farewell := websocket.FormatCloseMessage(websocket.CloseGoingAway, "target stops")
	for connection := range s.open {
		// Best effort: a client that does not read must not hold up the stop.
		_ = connection.WriteControl(websocket.CloseMessage, farewell, time.Now().Add(100*time.Millisecond))
		_ = connection.Close()
	}
}
