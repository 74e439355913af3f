package lb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.k6.io/k6/v2/metrics"

	"github.com/lb-log/xk6-lb/internal/coretest"
)

// clocked makes an output whose clock the test moves.
func clocked(t *testing.T, values map[string]any) (*bench, *time.Time) {
	t.Helper()
	b := newBench(t, map[string]string{"workload": "w"}, values).construct()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	b.out.now = func() time.Time { return now }
	if err := b.out.Start(); err != nil {
		t.Fatal(err)
	}
	return b, &now
}

func summariesOf(b *bench, metric string, final bool) []coretest.Record {
	return slices.DeleteFunc(b.events("metric_summary"), func(r coretest.Record) bool {
		return r.Tags["metric"] != metric || r.Tags["final"] != final
	})
}

func TestSummaries(t *testing.T) {
	b, now := clocked(t, nil)
	counter := b.registry.MustNewMetric("my_c", metrics.Counter)
	gauge := b.registry.MustNewMetric("my_g", metrics.Gauge)
	rate := b.registry.MustNewMetric("my_r", metrics.Rate)
	trend := b.registry.MustNewMetric("my_t", metrics.Trend, metrics.Time)
	tags := b.runTagged("scenario", "s")
	for i, value := range []float64{3, 0, 1, 5, -2} {
		if i == 3 {
			*now = now.Add(10 * time.Second)
			b.flush()
			b.flush()
		}
		for _, metric := range []*metrics.Metric{counter, gauge, rate, trend} {
			b.send(b.sample(metric, value, tags, nil))
		}
	}
	*now = now.Add(5 * time.Second)
	b.stop(nil)
	expect := func(metric string, final bool, at int, want map[string]any) {
		t.Helper()
		found := summariesOf(b, metric, final)
		if len(found) <= at {
			t.Fatalf("%s: %d records", metric, len(found))
		}
		if found[at].Fields["scenario"] != "s" || found[at].Fields["workload"] != "w" {
			t.Errorf("%v", found[at].Fields)
		}
		for name, value := range want {
			if fmt.Sprint(found[at].Tags[name]) != fmt.Sprint(value) {
				t.Errorf("%s final=%v window %d: %s is %v, want %v", metric, final, at, name, found[at].Tags[name], value)
			}
		}
	}
	expect("my_c", false, 0, map[string]any{"sum": 4, "per_second": 0.4, "window_ms": 10000, "count": 3})
	expect("my_c", false, 1, map[string]any{"sum": 3, "per_second": 0.6, "window_ms": 5000})
	expect("my_c", true, 0, map[string]any{"sum": 7, "window_ms": 15000, "count": 5})
	expect("my_g", false, 0, map[string]any{"value": 1, "min": 0, "max": 3})
	expect("my_g", true, 0, map[string]any{"value": -2, "min": -2, "max": 5})
	expect("my_r", false, 0, map[string]any{"passes": 2, "fails": 1})
	expect("my_r", true, 0, map[string]any{"rate": 0.8, "passes": 4, "fails": 1})
	expect("my_t", false, 0, map[string]any{"count": 3, "min": 0, "max": 3, "type": "trend", "contains": "time"})
	expect("my_t", true, 0, map[string]any{"count": 5, "min": -2, "max": 5, "avg": 1.4})
	if n := len(summariesOf(b, "my_t", false)); n != 2 {
		t.Errorf("%d windows: a window without samples has no record", n)
	}
}

func TestPercentilesAreWithinTheStatedError(t *testing.T) {
	b, now := clocked(t, nil)
	trend := b.registry.MustNewMetric("my_t", metrics.Trend, metrics.Time)
	random := rand.New(rand.NewPCG(1, 2))
	var values []float64
	for window := range 5 {
		for range 2000 {
			value := math.Exp(random.NormFloat64()*3) * math.Pow(10, float64(window-2))
			values = append(values, value)
			b.out.AddMetricSamples([]metrics.SampleContainer{b.sample(trend, value, b.tags(), nil)})
		}
		*now = now.Add(10 * time.Second)
		b.flush()
	}
	b.stop(nil)
	slices.Sort(values)
	final := summariesOf(b, "my_t", true)[0].Tags
	for _, q := range quantiles {
		exact := values[int(q.at*float64(len(values)-1))]
		if got := final[q.name].(float64); math.Abs(got-exact) > sketchError*1.01*exact {
			t.Errorf("%s is %v, exact %v", q.name, got, exact)
		}
	}
	if final["percentile_error"] != sketchError || final["min"] != values[0] || final["max"] != values[len(values)-1] {
		t.Errorf("%v", final)
	}
}

func TestSummarySeriesAreCapped(t *testing.T) {
	b, _ := clocked(t, map[string]any{"k6.summary_max_series": 18})
	const requests = 200
	for i := range requests {
		b.send(b.trail(b.runTagged("name", fmt.Sprint("n", i)), nil, true, false))
	}
	b.stop(nil)
	var total uint64
	var names []any
	for _, record := range summariesOf(b, "http_req_duration", true) {
		total += record.Tags["count"].(uint64)
		names = append(names, record.Tags["name"])
	}
	if total != requests || fmt.Sprint(names) != "[n0 n1 (others)]" {
		t.Errorf("%d requests under %v", total, names)
	}
	if n := len(b.events("k6_log")); n != 1 {
		t.Errorf("%d notices", n)
	}
}

func TestNonfiniteValuesDoNotSpoilASummary(t *testing.T) {
	b, _ := clocked(t, nil)
	trend := b.registry.MustNewMetric("my_t", metrics.Trend)
	for _, value := range []float64{math.NaN(), math.Inf(1), 0, math.MaxFloat64, math.SmallestNonzeroFloat64, 7} {
		b.send(b.sample(trend, value, b.tags(), nil))
	}
	b.stop(nil)
	if final := summariesOf(b, "my_t", true)[0].Tags; final["count"] != uint64(4) || final["min"] != 0.0 {
		t.Errorf("%v", final)
	}
}
