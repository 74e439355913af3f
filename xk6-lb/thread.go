package lb

import (
	"runtime"
	"time"
)

// thread runs jobs one by one on an operating-system thread of its own: the core keeps a ring per thread that logs, so
// one thread means one ring, and whatever the core does with its thread concerns no goroutine of k6.
type thread struct {
	jobs chan func()
	quit chan struct{}
	// ticks is set by a job; onTick runs for each.
	ticks  <-chan time.Time
	onTick func()
	failed func(reason any)
}

func newThread(onTick func(), failed func(reason any)) *thread {
	t := &thread{jobs: make(chan func()), quit: make(chan struct{}), onTick: onTick, failed: failed}
	go t.run()
	return t
}

func (t *thread) run() {
	runtime.LockOSThread()
	for {
		select {
		case job := <-t.jobs:
			t.guard(job)
		case <-t.ticks:
			t.guard(t.onTick)
		case <-t.quit:
			// Still locked: the runtime ends the system thread with the goroutine.
			return
		}
	}
}

// guard keeps a mistake of ours from ending the test.
func (t *thread) guard(job func()) {
	defer func() {
		if reason := recover(); reason != nil {
			t.failed(reason)
		}
	}()
	job()
}

// do runs the job and waits for it, at most for the timeout; false means that it has not ended by then, though it may
// end later. Never called on the thread itself.
func (t *thread) do(timeout time.Duration, job func()) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	done := make(chan struct{})
	select {
	case t.jobs <- func() { defer close(done); job() }:
	case <-timer.C:
		return false
	}
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
