package lb

import (
	"math"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
	"go.k6.io/k6/v2/metrics"

	"github.com/lb-log/xk6-lb/internal/batch"
)

const (
	// sketchError is the relative error of a percentile.
	sketchError = 0.01
	// sketchBins bounds a sketch: 2048 bins of 1 % span 17 orders of magnitude; beyond it the lowest are merged.
	sketchBins = 2048
	// otherNames is the name of the requests beyond summary_max_series.
	otherNames = "(others)"
)

// aggregate is what one window of one series came to.
type aggregate struct {
	count, passes       uint64
	sum, min, max, last float64
	sketch              *ddsketch.DDSketch
}

func newAggregate(kind metrics.MetricType, index mapping.IndexMapping) aggregate {
	var a aggregate
	if kind == metrics.Trend {
		a.sketch = ddsketch.NewDDSketch(index,
			store.NewCollapsingLowestDenseStore(sketchBins), store.NewCollapsingLowestDenseStore(sketchBins))
	}
	return a
}

func (a *aggregate) add(value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return // its record says null, and the core counts it
	}
	if a.count == 0 || value < a.min {
		a.min = value
	}
	if a.count == 0 || value > a.max {
		a.max = value
	}
	a.count++
	a.sum += value
	a.last = value
	if value != 0 {
		a.passes++
	}
	if a.sketch != nil {
		// Refused are only values that a float64 barely holds; min, max and avg have them.
		_ = a.sketch.Add(value)
	}
}

// merge adds the window that followed this one.
func (a *aggregate) merge(next *aggregate) {
	if next.count == 0 {
		return
	}
	if a.count == 0 || next.min < a.min {
		a.min = next.min
	}
	if a.count == 0 || next.max > a.max {
		a.max = next.max
	}
	a.count += next.count
	a.passes += next.passes
	a.sum += next.sum
	a.last = next.last
	if a.sketch != nil {
		_ = a.sketch.MergeWith(next.sketch) // one mapping for all: cannot fail
	}
}

func (a *aggregate) reset() {
	kept := a.sketch
	if kept != nil {
		kept.Clear()
	}
	*a = aggregate{sketch: kept}
}

var quantiles = [...]struct {
	name string
	at   float64
}{{"p50", 0.50}, {"p90", 0.90}, {"p95", 0.95}, {"p99", 0.99}}

// write adds the fields of the metric's type.
func (a *aggregate) write(w *batch.Writer, kind metrics.MetricType, window time.Duration) {
	switch kind {
	case metrics.Counter:
		w.Number("sum", a.sum)
		if window > 0 {
			w.Number("per_second", a.sum/window.Seconds())
		}
		w.Unsigned("count", a.count)
	case metrics.Gauge:
		w.Number("value", a.last)
		w.Number("min", a.min)
		w.Number("max", a.max)
	case metrics.Rate:
		w.Number("rate", float64(a.passes)/float64(a.count))
		w.Unsigned("passes", a.passes)
		w.Unsigned("fails", a.count-a.passes)
	case metrics.Trend:
		w.Unsigned("count", a.count)
		w.Number("min", a.min)
		w.Number("avg", a.sum/float64(a.count))
		for _, q := range quantiles {
			value, err := a.sketch.GetValueAtQuantile(q.at)
			if err != nil {
				continue
			}
			w.Number(q.name, min(max(value, a.min), a.max))
		}
		w.Number("max", a.max)
		w.Number("percentile_error", sketchError)
	}
}

// series is one metric of one identity, and for HTTP of one request name.
type series struct {
	info          *metricInfo
	id            *identity
	name          string
	named         bool
	window, total aggregate
}

type seriesKey struct {
	info  *metricInfo
	id    *identity
	name  string
	named bool
}

// metricSeries is a tag entry's own short list of series, instead of a look-up per sample.
type metricSeries struct {
	info   *metricInfo
	series *series
}

// httpSeries are the series of a request's nine metrics, in the order of a trail's samples; nil where filtered out.
type httpSeries [httpMetricCount]*series

// summaries holds every series.
type summaries struct {
	maxSeries  int
	index      mapping.IndexMapping
	byKey      map[seriesKey]*series
	all        []*series
	started    time.Time
	windowFrom time.Time
	notify     func(key, text string)
}

func newSummaries(maxSeries int, start time.Time, notify func(key, text string)) (*summaries, error) {
	index, err := mapping.NewCubicallyInterpolatedMapping(sketchError)
	if err != nil {
		return nil, err
	}
	return &summaries{
		maxSeries: maxSeries, index: index, byKey: map[seriesKey]*series{}, started: start, windowFrom: start, notify: notify,
	}, nil
}

// find makes the series when it is new. Beyond the cap, requests of new names share one series per metric; where even
// these are too many there is none (nil).
func (t *summaries) find(info *metricInfo, id *identity, name string, named bool) *series {
	key := seriesKey{info, id, name, named}
	if known, ok := t.byKey[key]; ok {
		return known
	}
	if len(t.all) >= t.maxSeries {
		t.notify("series", "metric_summary has reached summary_max_series: requests of further names are summed up as "+
			otherNames+"; give requests a `name` tag, or raise the limit")
		if len(t.all) >= 2*t.maxSeries {
			return nil
		}
		if named && name != otherNames {
			return t.find(info, id, otherNames, true)
		}
	}
	created := &series{
		info: info, id: id, name: name, named: named,
		window: newAggregate(info.kind, t.index), total: newAggregate(info.kind, t.index),
	}
	t.byKey[key] = created
	t.all = append(t.all, created)
	return created
}

// roll writes a record for each series that was fed since the last time, and begins a new window.
func (t *summaries) roll(s *session, w *batch.Writer, now time.Time) {
	window := now.Sub(t.windowFrom)
	for _, each := range t.all {
		if each.window.count == 0 {
			continue
		}
		each.write(s, w, &each.window, now, window, false)
		each.total.merge(&each.window)
		each.window.reset()
	}
	t.windowFrom = now
}

// final writes the last window and then the whole run.
func (t *summaries) final(s *session, w *batch.Writer, now time.Time) {
	t.roll(s, w, now)
	for _, each := range t.all {
		if each.total.count > 0 {
			each.write(s, w, &each.total, now, now.Sub(t.started), true)
		}
	}
}

func (each *series) write(s *session, w *batch.Writer, a *aggregate, now time.Time, window time.Duration, final bool) {
	w.Begin(s.context(each.id, kindSummary), now.UnixNano(), batch.LevelInfo, each.info.name)
	w.String("metric", each.info.name)
	w.String("type", each.info.kind.String())
	w.String("contains", each.info.contains)
	if each.named {
		w.String("name", each.name)
	}
	w.Boolean("final", final)
	w.Integer("window_ms", window.Milliseconds())
	a.write(w, each.info.kind, window)
	w.End()
}
