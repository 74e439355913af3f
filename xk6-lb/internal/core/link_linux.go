//go:build cgo

package core

// #cgo LDFLAGS: ${SRCDIR}/../../../build/lib/liblb_log.a -lm -ldl -lpthread
import "C"
