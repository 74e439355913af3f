package lb

import (
	"time"

	"go.k6.io/k6/v2/lib/netext/httpext"
	"go.k6.io/k6/v2/metrics"

	"github.com/lb-log/xk6-lb/internal/batch"
)

// pipeline turns k6's samples into records. It belongs to the output's thread, and in the steady state it allocates
// nothing: what a tag set, a metric or a series needs is made once and kept.
type pipeline struct {
	mode     sampleMode
	session  *session
	writer   batch.Writer
	tags     *tagCache
	filter   metricFilter
	builtin  *metrics.BuiltinMetrics
	infos    map[*metrics.Metric]*metricInfo
	http     httpInfos
	joiner   joiner
	series   *summaries
	phases   phases
	totals   totals
	splitAt  int
	interval time.Duration
	nextRoll time.Time
}

// totals are counted whatever the mode, for run_end.
type totals struct {
	samples, requests, failedRequests, iterations, checksPassed, checksFailed uint64
}

// largestBatch is how much goes to the core in one call.
const largestBatch = 2 << 20

func newPipeline(s *session, set *settings, builtin *metrics.BuiltinMetrics, runTags map[string]string, now time.Time) (*pipeline, error) {
	p := &pipeline{
		mode: set.mode, session: s, tags: newTagCache(s, runTags),
		filter:  metricFilter{set.allow, set.deny},
		builtin: builtin, infos: map[*metrics.Metric]*metricInfo{}, joiner: newJoiner(),
		splitAt: min(largestBatch, max(set.ringBytes/4, 1)),
	}
	if p.mode != modeNone && set.summaryInterval > 0 {
		series, err := newSummaries(set.summaryMaxSeries, now, s.notify)
		if err != nil {
			return nil, err
		}
		p.series, p.interval, p.nextRoll = series, set.summaryInterval, now.Add(set.summaryInterval)
	}
	p.http = newHTTPInfos(p)
	return p, nil
}

// consume takes what one tick of k6 delivered. The slice is shared with other outputs: it is only read.
func (p *pipeline) consume(containers []metrics.SampleContainer) {
	for _, container := range containers {
		switch c := container.(type) {
		case *httpext.Trail:
			p.trail(c)
		case metrics.Samples:
			p.several(c)
		case metrics.ConnectedSamples:
			p.several(c.Samples)
		case metrics.Sample:
			// GetSamples would allocate a slice of one.
			p.sample(&c)
		default:
			p.several(container.GetSamples())
		}
		if p.writer.Len() >= p.splitAt {
			p.session.push(&p.writer)
		}
	}
}

// settle ends a flush: what waited in vain for a partner goes out, and so do the summaries that are due.
func (p *pipeline) settle(now time.Time, last bool) {
	p.joiner.expire(last, func(waiting *ioPair) { p.ioSamples(waiting) })
	p.phases.announce(p.session, &p.writer)
	if p.series != nil && !last && !now.Before(p.nextRoll) {
		p.series.roll(p.session, &p.writer, now)
		p.nextRoll = now.Add(p.interval)
	}
	if p.series != nil && last {
		p.series.final(p.session, &p.writer, now)
	}
	p.session.push(&p.writer)
}

func (p *pipeline) info(m *metrics.Metric) *metricInfo {
	if known, ok := p.infos[m]; ok {
		return known
	}
	info := newMetricInfo(m, p.filter)
	p.infos[m] = info
	return info
}

// several takes a container of samples, and keeps the two of a finished iteration and the two of its traffic together.
func (p *pipeline) several(samples []metrics.Sample) {
	if p.mode == modeCompact && len(samples) == 2 && samples[0].Tags == samples[1].Tags {
		first, second := samples[0].Metric, samples[1].Metric
		switch {
		case first == p.builtin.IterationDuration && second == p.builtin.Iterations && samples[1].Value == 1:
			p.iteration(samples)
			return
		case first == p.builtin.DataSent && second == p.builtin.DataReceived:
			p.traffic(samples)
			return
		}
	}
	for i := range samples {
		p.sample(&samples[i])
	}
}

// sample makes one record of one sample: a check, or a metric.
func (p *pipeline) sample(s *metrics.Sample) {
	p.totals.samples++
	info := p.info(s.Metric)
	entry := p.tags.entry(s.Tags)
	p.count(s, entry)
	if !info.allowed {
		return
	}
	p.feed(entry, info, s.Value)
	switch {
	case p.mode == modeRaw:
		p.metric(entry, info, s)
	case p.mode != modeCompact:
	case s.Metric == p.builtin.Checks && (s.Value == 0 || s.Value == 1):
		p.check(entry, info, s)
	default:
		p.metric(entry, info, s)
	}
}

func (p *pipeline) metric(entry *tagEntry, info *metricInfo, s *metrics.Sample) {
	encoded := p.tags.metricTags(entry)
	w := &p.writer
	w.Begin(p.session.context(entry.id, kindMetric), s.Time.UnixNano(), info.levelOf(s.Value), info.name)
	w.Raw(info.head)
	w.Number("value", s.Value)
	w.Raw(encoded.rest)
	p.tags.appendMetadata(w, encoded, metricNames, s.Metadata)
	w.End()
}

func (p *pipeline) check(entry *tagEntry, info *metricInfo, s *metrics.Sample) {
	encoded := p.tags.checkTags(entry)
	w := &p.writer
	message, passed := "check passed", s.Value == 1
	if !passed {
		message = "check failed"
	}
	w.Begin(p.session.context(entry.id, kindCheck), s.Time.UnixNano(), info.levelOf(s.Value), message)
	w.Raw(encoded.head)
	w.Boolean("passed", passed)
	w.Raw(encoded.rest)
	p.tags.appendMetadata(w, encoded, checkNames, s.Metadata)
	w.End()
}

// feed adds a value to its series. A tag entry of more than a handful of metrics is rare enough for a linear look.
func (p *pipeline) feed(entry *tagEntry, info *metricInfo, value float64) {
	if p.series == nil || entry.id.invalid {
		return
	}
	for i := range entry.series {
		if entry.series[i].info == info {
			if known := entry.series[i].series; known != nil {
				known.window.add(value)
			}
			return
		}
	}
	name, named := "", false
	if info.isHTTP {
		name, named = entry.name()
	}
	found := p.series.find(info, entry.id, name, named)
	entry.series = append(entry.series, metricSeries{info, found})
	if found != nil {
		found.window.add(value)
	}
}

// count keeps the run's totals and phases.
func (p *pipeline) count(s *metrics.Sample, entry *tagEntry) {
	switch s.Metric {
	case p.builtin.HTTPReqs:
		p.totals.requests += uint64(s.Value)
	case p.builtin.HTTPReqFailed:
		if s.Value != 0 {
			p.totals.failedRequests++
		}
	case p.builtin.Iterations:
		p.totals.iterations += uint64(s.Value)
	case p.builtin.Checks:
		if s.Value != 0 {
			p.totals.checksPassed++
		} else {
			p.totals.checksFailed++
		}
	}
	if entry.phase == phaseNone {
		return
	}
	end := s.Time.UnixNano()
	start := end
	if s.Metric.Contains == metrics.Time && s.Value > 0 {
		start -= int64(s.Value * float64(time.Millisecond))
	}
	p.phases.see(entry.phase, start, end)
}
