package lb

import (
	"sync"

	"github.com/sirupsen/logrus"
)

// notices are what a user should know, each once. The thread only leaves them here: logging from it would come back
// through the hook and wait for the thread itself.
type notices struct {
	// telling is held while notices are logged, so that the end waits for one that another goroutine logs.
	telling sync.Mutex
	mu      sync.Mutex
	logger  logrus.FieldLogger
	said    map[string]bool
	waiting []string
}

// leave keeps a text for later, once per key; any goroutine may call it.
func (n *notices) leave(key, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.said[key] {
		return
	}
	if n.said == nil {
		n.said = map[string]bool{}
	}
	n.said[key] = true
	n.waiting = append(n.waiting, text)
}

// tell logs what is waiting. Never called on the thread.
func (n *notices) tell() {
	n.telling.Lock()
	defer n.telling.Unlock()
	n.mu.Lock()
	waiting := n.waiting
	n.waiting = nil
	n.mu.Unlock()
	for _, text := range waiting {
		n.logger.Warn(text)
	}
}
