package lb

import (
	"sync"

	"go.k6.io/k6/v2/lib/netext/httpext"
	"go.k6.io/k6/v2/metrics"
)

// sampleBuffer lies between k6's one goroutine, which must never wait, and our thread. k6 makes a new slice for each
// tick and never writes to one it has handed out, so the slices themselves are kept, not their elements. Looking into
// each of a thousand containers, fresh from other processors, takes longer than all the rest: their samples are counted
// only when slices have piled up, or the limit may be near.
type sampleBuffer struct {
	mu     sync.Mutex
	slices [][]metrics.SampleContainer
	spare  [][]metrics.SampleContainer
	// held, limit and dropped count samples; held are those of the first slices, as many as counted. The others have so
	// many containers uncounted.
	held, limit        int
	counted, uncounted int
	closed             bool
	dropped            uint64
}

const (
	// mostSamples is more than any container of k6 has: a trail has nine.
	mostSamples = 16
	// laterSlices, about a second's, may be uncounted: what has to be counted at once remains little.
	laterSlices = 20
)

// newSampleBuffer has room for more slices than come between two flushes: to make room later would mean to allocate on
// k6's goroutine, and an allocation may have to help the garbage collector first.
func newSampleBuffer(limit int) sampleBuffer {
	room := func() [][]metrics.SampleContainer { return make([][]metrics.SampleContainer, 0, 2*laterSlices) }
	return sampleBuffer{slices: room(), spare: room(), limit: limit}
}

// add keeps the containers, or the first of them that there is room for.
func (b *sampleBuffer) add(containers []metrics.SampleContainer) {
	if len(containers) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed && b.held+(b.uncounted+len(containers))*mostSamples <= b.limit {
		b.slices = append(b.slices, containers)
		b.uncounted += len(containers)
		b.count(laterSlices)
		return
	}
	b.count(0)
	kept := 0
	for ; kept < len(containers) && !b.closed; kept++ {
		count := sampleCount(containers[kept])
		if b.held+count > b.limit {
			break
		}
		b.held += count
	}
	for _, lost := range containers[kept:] {
		b.dropped += uint64(sampleCount(lost))
	}
	if kept > 0 {
		b.slices = append(b.slices, containers[:kept])
		b.counted++
	}
}

// count leaves so many slices uncounted.
func (b *sampleBuffer) count(later int) {
	for ; len(b.slices)-b.counted > later; b.counted++ {
		for _, container := range b.slices[b.counted] {
			b.held += sampleCount(container)
		}
		b.uncounted -= len(b.slices[b.counted])
	}
}

// take empties the buffer. What it returned before is used again for the next but one flush.
func (b *sampleBuffer) take() [][]metrics.SampleContainer {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.slices
	b.slices, b.spare = b.spare[:0], nil
	b.held, b.counted, b.uncounted = 0, 0, 0
	return taken
}

// giveBack returns a slice that take gave, emptied so that k6's samples can be collected.
func (b *sampleBuffer) giveBack(taken [][]metrics.SampleContainer) {
	clear(taken)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spare == nil {
		b.spare = taken[:0]
	}
}

// close turns everything that comes later into a counted drop.
func (b *sampleBuffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

func (b *sampleBuffer) lost() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// sampleCount counts without the allocation that a lone Sample's GetSamples would make.
func sampleCount(container metrics.SampleContainer) int {
	switch c := container.(type) {
	case metrics.Sample:
		return 1
	case *httpext.Trail:
		return len(c.Samples)
	default:
		return len(container.GetSamples())
	}
}
