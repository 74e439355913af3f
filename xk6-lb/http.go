package lb

import (
	"time"

	"go.k6.io/k6/v2/lib/netext/httpext"
	"go.k6.io/k6/v2/metrics"

	"github.com/lb-log/xk6-lb/internal/batch"
)

// The samples of a trail, in k6's order. The last is absent where k6 did not judge the response.
const (
	httpReqs = iota
	httpDuration
	httpBlocked
	httpConnecting
	httpTLSHandshaking
	httpSending
	httpWaiting
	httpReceiving
	httpFailed
	httpMetricCount
)

// httpFields are the record's names of the samples' values; http_reqs is 1, said by the record itself.
var httpFields = [httpMetricCount]string{
	httpDuration:       batch.NumberHead("duration_ms"),
	httpBlocked:        batch.NumberHead("blocked_ms"),
	httpConnecting:     batch.NumberHead("connecting_ms"),
	httpTLSHandshaking: batch.NumberHead("tls_handshaking_ms"),
	httpSending:        batch.NumberHead("sending_ms"),
	httpWaiting:        batch.NumberHead("waiting_ms"),
	httpReceiving:      batch.NumberHead("receiving_ms"),
}

// httpInfos are the nine metrics of a request, and whether any of them is wanted.
type httpInfos struct {
	metrics [httpMetricCount]*metrics.Metric
	infos   [httpMetricCount]*metricInfo
	any     bool
}

func newHTTPInfos(p *pipeline) httpInfos {
	b := p.builtin
	h := httpInfos{metrics: [httpMetricCount]*metrics.Metric{
		b.HTTPReqs, b.HTTPReqDuration, b.HTTPReqBlocked, b.HTTPReqConnecting, b.HTTPReqTLSHandshaking, b.HTTPReqSending,
		b.HTTPReqWaiting, b.HTTPReqReceiving, b.HTTPReqFailed,
	}}
	for i, m := range h.metrics {
		h.infos[i] = p.info(m)
		h.any = h.any || h.infos[i].allowed
	}
	return h
}

// ordered tells that these are a trail's samples as this version of k6 makes them; else they are taken one by one.
func (h *httpInfos) ordered(samples []metrics.Sample) bool {
	if len(samples) != httpMetricCount && len(samples) != httpMetricCount-1 {
		return false
	}
	for i := range samples {
		if samples[i].Metric != h.metrics[i] || samples[i].Tags != samples[0].Tags {
			return false
		}
	}
	return samples[httpReqs].Value == 1
}

// trail makes one record of the nine samples of a request.
func (p *pipeline) trail(t *httpext.Trail) {
	samples := t.Samples
	if p.mode == modeRaw || !p.http.ordered(samples) {
		p.several(samples)
		return
	}
	entry := p.tags.entry(samples[0].Tags)
	p.countTrail(samples, entry)
	if !p.http.any {
		return
	}
	p.feedTrail(entry, samples)
	if p.mode == modeCompact {
		p.httpRecord(entry, samples)
	}
}

func (p *pipeline) countTrail(samples []metrics.Sample, entry *tagEntry) {
	p.totals.samples += uint64(len(samples))
	p.totals.requests++
	if len(samples) > httpFailed && samples[httpFailed].Value != 0 {
		p.totals.failedRequests++
	}
	if entry.phase == phaseNone {
		return
	}
	took := samples[httpDuration].Value + samples[httpBlocked].Value + samples[httpConnecting].Value +
		samples[httpTLSHandshaking].Value
	end := samples[0].Time.UnixNano()
	p.phases.see(entry.phase, end-int64(took*float64(time.Millisecond)), end)
}

func (p *pipeline) feedTrail(entry *tagEntry, samples []metrics.Sample) {
	if p.series == nil || entry.id.invalid {
		return
	}
	if entry.httpSeries == nil {
		entry.httpSeries = &httpSeries{}
		name, named := entry.name()
		for i, info := range p.http.infos {
			if info.allowed {
				entry.httpSeries[i] = p.series.find(info, entry.id, name, named)
			}
		}
	}
	for i := range samples {
		if each := entry.httpSeries[i]; each != nil {
			each.window.add(samples[i].Value)
		}
	}
}

func (p *pipeline) httpRecord(entry *tagEntry, samples []metrics.Sample) {
	encoded := p.tags.httpTags(entry)
	w, level := &p.writer, batch.LevelInfo
	judged := len(samples) > httpFailed
	failed := judged && samples[httpFailed].Value != 0
	if failed {
		level = batch.LevelWarning
	}
	w.Begin(p.session.context(entry.id, kindHTTP), samples[0].Time.UnixNano(), level, encoded.message)
	w.Raw(encoded.head)
	if p.http.infos[httpFailed].allowed {
		if judged {
			w.Boolean("failed", failed)
		} else {
			w.Null("failed")
		}
	}
	for i := httpDuration; i <= httpReceiving; i++ {
		if p.http.infos[i].allowed {
			w.NumberAfter(httpFields[i], samples[i].Value)
		}
	}
	w.Raw(encoded.rest)
	p.tags.appendMetadata(w, encoded, httpNames, samples[0].Metadata)
	w.End()
}
