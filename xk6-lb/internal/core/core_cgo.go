//go:build cgo

package core

/*
#cgo CFLAGS: -I${SRCDIR}/../../../ffi/include
#include "lb_log.h"
#cgo noescape lb_logger_push_batch
#cgo nocallback lb_logger_push_batch
#cgo noescape lb_logger_stats
#cgo nocallback lb_logger_stats
*/
import "C"

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"
)

// Available tells whether this program has the core in it.
const Available = true

var _ Opener = Open

// Version is the version of the core.
func Version() string { return C.GoString(C.lb_version()) }

// Open opens a logger. The core copies the configuration.
func Open(config []byte) (Logger, error) {
	if got := uint32(C.lb_abi_version()); got != C.LB_ABI_VERSION {
		return nil, &Error{Code: CodeArgument, Message: fmt.Sprintf(
			"liblb_log speaks ABI %d and this program %d: build both from one checkout", got, uint32(C.LB_ABI_VERSION))}
	}
	var handle *C.lb_logger
	var failure *C.lb_error
	code := C.lb_logger_open(chars(config), C.size_t(len(config)), &handle, &failure)
	runtime.KeepAlive(config)
	if err := take(code, failure); err != nil {
		return nil, err
	}
	return &logger{handle: handle}, nil
}

type logger struct{ handle *C.lb_logger }

func (l *logger) Config() []byte {
	text := C.lb_logger_config(l.handle)
	return C.GoBytes(unsafe.Pointer(text.data), C.int(text.len))
}

func (l *logger) Context(fields []byte) (uint32, error) {
	var id C.uint32_t
	var failure *C.lb_error
	code := C.lb_logger_context(l.handle, chars(fields), C.size_t(len(fields)), &id, &failure)
	runtime.KeepAlive(fields)
	return uint32(id), take(code, failure)
}

func (l *logger) Push(batch []byte) (Result, error) {
	var failure *C.lb_error
	counts := C.lb_batch_result{struct_size: C.sizeof_lb_batch_result}
	code := C.lb_logger_push_batch(l.handle, (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(batch))), C.size_t(len(batch)),
		&counts, &failure)
	result := Result{
		Accepted: uint64(counts.accepted),
		Dropped:  uint64(counts.dropped),
		Rejected: uint64(counts.rejected),
	}
	if code == C.LB_OK && failure == nil {
		return result, nil
	}
	return result, take(code, failure)
}

func (l *logger) Flush(timeout time.Duration) error {
	var failure *C.lb_error
	code := C.lb_logger_flush(l.handle, milliseconds(timeout), &failure)
	return take(code, failure)
}

func (l *logger) Stats() (Stats, error) {
	var failure *C.lb_error
	counts := C.lb_stats{struct_size: C.sizeof_lb_stats}
	code := C.lb_logger_stats(l.handle, &counts, &failure)
	return Stats{
		Offered:     uint64(counts.offered),
		Written:     uint64(counts.written),
		Queued:      uint64(counts.queued),
		Dropped:     uint64(counts.dropped),
		Rejected:    uint64(counts.rejected),
		Truncated:   uint64(counts.truncated),
		Nonfinite:   uint64(counts.nonfinite),
		WriteErrors: uint64(counts.write_errors),
		Loki: Delivery{
			Enabled:      counts.loki_enabled != 0,
			Acknowledged: uint64(counts.loki_acknowledged),
			Pending:      uint64(counts.loki_pending),
		},
	}, take(code, failure)
}

func (l *logger) Close(deadline time.Duration) error {
	var failure *C.lb_error
	code := C.lb_logger_close(l.handle, milliseconds(deadline), &failure)
	return take(code, failure)
}

func (l *logger) Free() {
	C.lb_logger_free(l.handle)
	l.handle = nil
}

// take turns a status code and its error into a Go error and frees the latter.
func take(code C.int32_t, failure *C.lb_error) error {
	if failure == nil {
		if code == C.LB_OK {
			return nil
		}
		return &Error{Code: Code(code)}
	}
	defer C.lb_error_free(failure)
	text := C.lb_error_message(failure)
	return &Error{Code: Code(code), Message: C.GoStringN(text.data, C.int(text.len))}
}

func chars(data []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(data))) }

func milliseconds(duration time.Duration) C.uint32_t {
	const most = 1<<32 - 1
	return C.uint32_t(min(max(duration.Milliseconds(), 0), most))
}
