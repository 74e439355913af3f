package lb

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"go.k6.io/k6/v2/metrics"
)

// requestsAnd makes what k6 delivers for n iterations of one request, two checks and a custom metric.
func requestsAnd(b *bench, n int) []metrics.SampleContainer {
	custom := b.registry.MustNewMetric("mine", metrics.Trend, metrics.Time)
	tags := b.runTagged("expected_response", "true", "method", "GET", "name", "http://127.0.0.1:8080/items", "proto", "HTTP/1.1",
		"status", "200", "url", "http://127.0.0.1:8080/items")
	vu := b.runTagged()
	first, second := vu.With("check", "status is 200"), vu.With("check", "has items")
	metadata := map[string]string{"vu": "1", "iter": "2"}
	var all []metrics.SampleContainer
	for range n {
		traffic, iteration := b.iterationOf(vu, metadata)
		all = append(all, b.trail(tags, metadata, true, false), b.sample(b.builtin.Checks, 1, first, metadata),
			b.sample(b.builtin.Checks, 1, second, metadata), b.sample(custom, 12.5, vu, metadata), traffic, iteration)
	}
	return all
}

func TestNoAllocationPerSampleInTheSteadyState(t *testing.T) {
	for _, mode := range []sampleMode{modeCompact, modeRaw, modeSummary, modeNone} {
		b := started(t, nil, map[string]any{"k6.samples": string(mode)})
		b.core.Discard = true
		all := requestsAnd(b, 500)
		b.send(all...)
		b.send(all...)
		var allocations float64
		b.out.thread.do(time.Minute, func() {
			p := b.out.pipeline
			allocations = testing.AllocsPerRun(20, func() {
				b.out.AddMetricSamples(all)
				b.out.drain(false)
				p.settle(b.out.now(), false)
			})
		})
		// A handful per flush of 7500 samples, none per sample.
		if allocations > 8 {
			t.Errorf("%s: %v allocations in a flush of 500 iterations", mode, allocations)
		}
		b.stop(nil)
	}
}

func BenchmarkFlush(b *testing.B) {
	for _, mode := range []sampleMode{modeCompact, modeRaw, modeSummary} {
		b.Run(string(mode), func(b *testing.B) {
			x := started(b, nil, map[string]any{"k6.samples": string(mode)})
			x.core.Discard = true
			const iterations = 1000
			all := requestsAnd(x, iterations)
			x.send(all...)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				x.send(all...)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*iterations), "ns/iteration")
			b.StopTimer()
			x.stop(nil)
		})
	}
}

func BenchmarkRequest(b *testing.B) {
	x := started(b, nil, nil)
	x.core.Discard = true
	trail := x.trail(x.runTagged("name", "n", "url", "n", "method", "GET", "status", "200", "proto", "HTTP/1.1"), nil, true, false)
	all := make([]metrics.SampleContainer, 1000)
	for i := range all {
		all[i] = trail
	}
	x.send(all...)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		x.send(all...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(all)), "ns/request")
	b.StopTimer()
	x.stop(nil)
}

// Each request has a name of its own, the worst that a script can do to a cache.
func BenchmarkRequestOfNewName(b *testing.B) {
	x := started(b, nil, nil)
	x.core.Discard = true
	const requests = 1000
	all := make([]metrics.SampleContainer, requests)
	b.ReportAllocs()
	for i := range b.N {
		b.StopTimer()
		for j := range all {
			name := fmt.Sprint("http://127.0.0.1:8080/items/", i*requests+j)
			all[j] = x.trail(x.runTagged("name", name, "url", name, "method", "GET", "status", "200", "proto", "HTTP/1.1"), nil, true, false)
		}
		b.StartTimer()
		x.send(all...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*requests), "ns/request")
	b.StopTimer()
	x.stop(nil)
}

func TestCacheIsBounded(t *testing.T) {
	b := started(t, nil, map[string]any{"k6.summary_max_series": 10})
	b.core.Discard = true
	const sets = 3 * cacheGeneration
	for i := range sets {
		b.out.AddMetricSamples([]metrics.SampleContainer{b.sample(b.builtin.VUs, 1, b.runTagged("n", strconv.Itoa(i)), nil)})
	}
	b.flush()
	cache := b.out.pipeline.tags
	if held := len(cache.young) + len(cache.old); held > 2*cacheGeneration || held < cacheGeneration {
		t.Errorf("%d entries", held)
	}
	b.stop(nil)
}

// What k6's own goroutine pays for a tick of 50 ms at 20,000 requests a second.
func BenchmarkAddMetricSamples(b *testing.B) {
	x := started(b, nil, map[string]any{"k6.buffer_samples": 1 << 40})
	all := requestsAnd(x, 170)[:1000]
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		x.out.AddMetricSamples(all)
		if i%laterSlices == 0 { // k6 sends four slices in a flush_interval
			b.StopTimer()
			x.out.samples.giveBack(x.out.samples.take())
			b.StartTimer()
		}
	}
	b.StopTimer()
	x.stop(nil)
}
