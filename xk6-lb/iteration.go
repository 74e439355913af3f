package lb

import (
	"maps"

	"go.k6.io/k6/v2/metrics"

	"github.com/lb-log/xk6-lb/internal/batch"
)

// k6 sends the traffic of a VU (data_sent, data_received) in one container when a function of the script ends, and
// right behind it, if that was a whole iteration, iteration_duration and iterations in another, with the same time, tag
// set and metadata. Other VUs' containers may come in between, and so may the end of a flush.

// ioKey joins the two.
type ioKey struct {
	tags *metrics.TagSet
	ns   int64
}

// ioPair is the traffic that waits for its iteration.
type ioPair struct {
	samples [2]metrics.Sample
	// flush is the flush it came in.
	flush uint64
}

type joiner struct {
	waiting map[ioKey]ioPair
	flush   uint64
	old     []ioPair
}

func newJoiner() joiner { return joiner{waiting: map[ioKey]ioPair{}} }

// expire hands out what had a whole flush to find its iteration, or everything at the end.
func (j *joiner) expire(all bool, emit func(*ioPair)) {
	if len(j.waiting) > 0 {
		j.old = j.old[:0]
		for key, pair := range j.waiting {
			if all || pair.flush < j.flush {
				j.old = append(j.old, pair)
				delete(j.waiting, key)
			}
		}
		for i := range j.old {
			emit(&j.old[i])
		}
		clear(j.old)
	}
	j.flush++
}

// traffic keeps the two samples until their iteration comes; setup and teardown have none.
func (p *pipeline) traffic(samples []metrics.Sample) {
	if which := p.tags.entry(samples[0].Tags).phase; which == phaseSetup || which == phaseTeardown {
		p.sample(&samples[0])
		p.sample(&samples[1])
		return
	}
	key := ioKey{samples[0].Tags, samples[0].Time.UnixNano()}
	if twin, ok := p.joiner.waiting[key]; ok {
		p.ioSamples(&twin)
	}
	p.joiner.waiting[key] = ioPair{samples: [2]metrics.Sample{samples[0], samples[1]}, flush: p.joiner.flush}
}

// ioSamples writes traffic that belongs to no finished iteration: setup, teardown, an interrupted one.
func (p *pipeline) ioSamples(pair *ioPair) {
	p.sample(&pair.samples[0])
	p.sample(&pair.samples[1])
}

// iteration makes one record of a finished iteration.
func (p *pipeline) iteration(samples []metrics.Sample) {
	key := ioKey{samples[0].Tags, samples[0].Time.UnixNano()}
	pair, joined := p.joiner.waiting[key]
	if joined = joined && maps.Equal(pair.samples[0].Metadata, samples[0].Metadata); joined {
		delete(p.joiner.waiting, key)
	}
	entry := p.tags.entry(samples[0].Tags)
	duration, iterations := p.info(samples[0].Metric), p.info(samples[1].Metric)
	for i := range samples {
		p.total(&samples[i], entry)
	}
	sent, received := p.info(p.builtin.DataSent), p.info(p.builtin.DataReceived)
	if joined {
		for i := range pair.samples {
			p.total(&pair.samples[i], entry)
		}
	}
	if !duration.allowed && !iterations.allowed && !(joined && (sent.allowed || received.allowed)) {
		return
	}
	encoded := p.tags.iterationTags(entry)
	w := &p.writer
	w.Begin(p.session.context(entry.id, kindIteration), samples[0].Time.UnixNano(), batch.LevelDebug, "iteration finished")
	w.Raw(encoded.head)
	if duration.allowed {
		w.Number("duration_ms", samples[0].Value)
	}
	if joined && sent.allowed {
		w.Number("data_sent", pair.samples[0].Value)
	}
	if joined && received.allowed {
		w.Number("data_received", pair.samples[1].Value)
	}
	w.Raw(encoded.rest)
	p.tags.appendMetadata(w, encoded, iterationNames, samples[0].Metadata)
	w.End()
}

// total counts and sums up a sample whose record is written by another function.
func (p *pipeline) total(s *metrics.Sample, entry *tagEntry) {
	p.totals.samples++
	p.count(s, entry)
	if info := p.info(s.Metric); info.allowed {
		p.feed(entry, info, s.Value)
	}
}
