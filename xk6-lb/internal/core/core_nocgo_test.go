//go:build !cgo

package core

import (
	"strings"
	"testing"
)

func TestWithoutCgoTheErrorSaysWhatToDo(t *testing.T) {
	if _, err := Open(nil); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=1 xk6 build") {
		t.Error(err)
	}
}
