// Package core is the only place that touches C: the Rust core behind ffi/include/lb_log.h.
// The rest of the extension sees the Logger interface, so its tests run against a logger in memory.
package core

import (
	"fmt"
	"time"
)

// Context ids with a meaning of their own.
const (
	// ContextInvalid makes the core reject and count the record: its own identity is impossible.
	ContextInvalid uint32 = 0xFFFFFFFF
)

// Code is a status code of the C ABI.
type Code int32

// Status codes, the numbers of the C ABI.
const (
	CodeArgument Code = 1
	CodeConfig   Code = 2
	CodeIO       Code = 3
	CodeRejected Code = 4
	CodeDropped  Code = 5
	CodeClosed   Code = 6
	CodeTimeout  Code = 7
	CodeLimit    Code = 10
	// CodeUnavailable is ours: this program was built without the core.
	CodeUnavailable Code = -1
)

// Error is a refusal of the core, in its own words.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the logging core answered with code %d", e.Code)
	}
	return e.Message
}

// Result counts what became of the entries of one batch.
type Result struct {
	Accepted, Dropped, Rejected uint64
}

// Stats are the counters of one logger of this process; offered = written + queued + dropped + rejected.
type Stats struct {
	Offered, Written, Queued, Dropped, Rejected uint64
	Truncated, Nonfinite, WriteErrors           uint64
	Loki                                        Delivery
}

// Delivery is what became of the file's lines, whoever wrote them, where they are pushed to Loki.
type Delivery struct {
	Enabled               bool
	Acknowledged, Pending uint64
}

// Add sums the counters of loggers that followed one another; the file is the same, and the last one knows it best.
func (s *Stats) Add(other Stats) {
	s.Offered += other.Offered
	s.Written += other.Written
	s.Queued += other.Queued
	s.Dropped += other.Dropped
	s.Rejected += other.Rejected
	s.Truncated += other.Truncated
	s.Nonfinite += other.Nonfinite
	s.WriteErrors += other.WriteErrors
	s.Loki = other.Loki
}

// Logger is an open log file. Push is called from one operating-system thread only: the core keeps a ring per thread.
type Logger interface {
	// Config is the effective configuration, JSON.
	Config() []byte
	// Context makes the id of constant fields, given as a JSON object, or finds the id that they already have.
	Context(fields []byte) (uint32, error)
	// Push hands a batch over; a drop or rejection is an *Error, counted in the result.
	Push(batch []byte) (Result, error)
	// Flush returns when everything accepted before is in the file, or after the timeout.
	Flush(timeout time.Duration) error
	Stats() (Stats, error)
	// Close writes what is accepted and releases the file; what it could not write in time stays for the next to open it.
	Close(deadline time.Duration) error
	// Free ends the logger; nothing may be called after it.
	Free()
}

// Opener opens a logger from the JSON that lb_logger_open takes.
type Opener func(config []byte) (Logger, error)
