package lb

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"go.k6.io/k6/v2/metrics"

	"github.com/lb-log/xk6-lb/internal/batch"
)

func TestRequestIsOneRecord(t *testing.T) {
	b := started(t, map[string]string{"run_id": "r1", "workload": "w", "repetition": "7", "instance_id": "3"}, nil)
	tags := b.runTagged("name", "http://x/", "url", "http://x/", "method", "GET", "status", "200", "proto", "HTTP/1.1",
		"expected_response", "true", "customer", "gold")
	trail := b.trail(tags, map[string]string{"vu": "4", "iter": "9"}, true, false)
	b.send(trail)
	records := b.events("http_req")
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	got := records[0]
	want := []string{"method", "name", "status", "failed", "duration_ms", "blocked_ms", "connecting_ms", "tls_handshaking_ms",
		"sending_ms", "waiting_ms", "receiving_ms", "customer", "expected_response", "group", "instance_id", "proto", "url",
		"iter", "vu"}
	if !reflect.DeepEqual(got.TagOrder, want) {
		t.Errorf("tags in order %v\nwant %v", got.TagOrder, want)
	}
	if got.Tags["status"] != int64(200) || got.Tags["failed"] != false || got.Tags["duration_ms"] != 12.345 {
		t.Errorf("tags %v", got.Tags)
	}
	if got.Fields["run_id"] != "r1" || got.Fields["workload"] != "w" || got.Fields["repetition"] != 7 {
		t.Errorf("identity %v", got.Fields)
	}
	if got.Tags["instance"] != "3" || got.Level != batch.LevelInfo || got.Message != "GET http://x/ 200" {
		t.Errorf("%+v", got)
	}
	b.mustHold(trail)
	b.stop(nil)
}

func TestRequestVariants(t *testing.T) {
	b := started(t, nil, nil)
	tags := b.runTagged("name", "http://x/", "method", "GET", "status", "0", "error", "dial: refused", "error_code", "1212")
	failing, unjudged := b.trail(tags, nil, true, true), b.trail(tags, nil, false, false)
	b.send(failing, unjudged)
	records := b.events("http_req")
	if records[0].Level != batch.LevelWarning || records[0].Tags["failed"] != true {
		t.Errorf("a failed request: %+v", records[0])
	}
	if value, there := records[1].Tags["failed"]; !there || value != nil || records[1].Level != batch.LevelInfo {
		t.Errorf("an unjudged request: %+v", records[1])
	}
	if records[0].Message != "GET http://x/ 0 dial: refused" {
		t.Errorf("message %q", records[0].Message)
	}
	b.mustHold(failing, unjudged)

	// A trail that is not as this k6 makes them loses nothing.
	odd := b.trail(tags, nil, true, false)
	odd.Samples = odd.Samples[:5]
	b.send(odd)
	b.mustHold(odd)
	b.stop(nil)
}

func TestNothingIsMissing(t *testing.T) {
	for _, mode := range []sampleMode{modeCompact, modeRaw} {
		t.Run(string(mode), func(t *testing.T) {
			b := started(t, map[string]string{"workload": "w", "tier": "one"}, map[string]any{"k6.samples": string(mode)})
			all := everyKindOfSample(b)
			b.send(all[:len(all)/2]...)
			b.send(all[len(all)/2:]...)
			b.stop(nil)
			b.mustHold(all...)
			if mode == modeRaw {
				samples := 0
				for _, c := range all {
					samples += len(c.GetSamples())
				}
				if got := len(b.events("metric")); got != samples {
					t.Errorf("%d records of %d samples", got, samples)
				}
			}
		})
	}
}

// everyKindOfSample has tags and metadata that collide with everything that can be collided with.
func everyKindOfSample(b *bench) []metrics.SampleContainer {
	hostile := []string{"duration_ms", "u", "tag_duration_ms", "v", "tag_tag_duration_ms", "w", "metric", "m", "value", "1",
		"tag_value", "2", "type", "t", "contains", "c", "passed", "maybe", "failed", "no", "instance", "me", "data_sent", "x",
		"truncated_bytes", "12", "timestamp", "now", "level", "LOW", "message", "hi", "bytes\xff\x00", "\xfe", "", "empty",
		"metadata_vu", "z", "host", "target", "repetition", "2", "tier", "two", "final", "f", "name", "n", "phase", "p"}
	meta := map[string]string{"vu": "1", "iter": "0", "u": "clash", "metadata_u": "clash2", "duration_ms": "M", "value": "V",
		"metadata_value": "V2", "passed": "P", "method": "MM", "tier": "T"}
	custom := map[metrics.MetricType]*metrics.Metric{}
	for _, kind := range []metrics.MetricType{metrics.Counter, metrics.Gauge, metrics.Trend, metrics.Rate} {
		custom[kind] = b.registry.MustNewMetric("my_"+kind.String(), kind, metrics.Data)
	}
	var all []metrics.SampleContainer
	for _, set := range []*metrics.TagSet{
		b.runTagged(), b.runTagged(hostile...), b.tags(), b.runTagged("workload", "other", "scenario", "s1"),
		b.runTagged("group", "::setup"), b.runTagged("status", "0200", "method", "GET"),
	} {
		for _, metadata := range []map[string]string{nil, meta} {
			for _, metric := range custom {
				all = append(all, b.sample(metric, 0.5, set, metadata))
			}
			all = append(all,
				b.trail(set, metadata, true, true), b.trail(set, metadata, false, false),
				b.sample(b.builtin.Checks, 1, set.With("check", "is ok"), metadata),
				b.sample(b.builtin.Checks, 0, set, metadata), b.sample(b.builtin.Checks, 0.25, set, metadata),
				metrics.ConnectedSamples{Samples: []metrics.Sample{
					b.sample(b.builtin.WSSessions, 1, set, metadata), b.sample(b.builtin.WSConnecting, 3, set, metadata),
				}},
				metrics.Samples{b.sample(b.builtin.VUs, 3, set, nil)},
			)
			joined, iteration := b.iterationOf(set, metadata)
			alone, _ := b.iterationOf(set, metadata)
			_, bare := b.iterationOf(set, metadata)
			all = append(all, joined, alone, iteration, bare)
		}
	}
	return all
}

func TestIterationIsJoined(t *testing.T) {
	b := started(t, nil, nil)
	tags := b.runTagged()
	traffic, iteration := b.iterationOf(tags, nil)
	interrupted, _ := b.iterationOf(tags, nil)
	b.send(interrupted, traffic) // the end of a flush lies between
	b.send(iteration)
	records := b.events("iteration")
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	if got := records[0]; got.Tags["data_sent"] != 110.0 || got.Tags["data_received"] != 2200.0 || got.Tags["duration_ms"] != 33.25 ||
		got.Level != batch.LevelDebug {
		t.Errorf("%+v", got)
	}
	if got := len(b.events("metric")); got != 2 {
		t.Errorf("%d metrics, want the two of the interrupted iteration", got)
	}
	b.mustHold(traffic, iteration, interrupted)

	// Same nanosecond and tags, but of another virtual user.
	other, mine := b.iterationOf(tags, map[string]string{"vu": "1"})
	for i := range mine {
		mine[i].Metadata = map[string]string{"vu": "2"}
	}
	b.send(other, mine)
	b.stop(nil)
	b.mustHold(other, mine)
}

func TestCheckRecords(t *testing.T) {
	b := started(t, nil, nil)
	tags := b.runTagged("check", "status is 200")
	b.send(b.sample(b.builtin.Checks, 1, tags, nil), b.sample(b.builtin.Checks, 0, tags, nil))
	records := b.events("check")
	if len(records) != 2 || records[0].Level != batch.LevelDebug || records[1].Level != batch.LevelWarning {
		t.Fatalf("%+v", records)
	}
	if records[1].TagOrder[0] != "check" || records[1].TagOrder[1] != "passed" || records[1].Tags["passed"] != false {
		t.Errorf("%+v", records[1])
	}
	b.stop(nil)
}

func TestMetricLevels(t *testing.T) {
	b := started(t, nil, nil)
	custom := b.registry.MustNewMetric("mine", metrics.Trend, metrics.Time)
	b.send(b.sample(custom, math.NaN(), b.tags(), nil), b.sample(b.builtin.VUs, 1, b.tags(), nil))
	records := b.events("metric")
	if records[0].Level != batch.LevelInfo || records[1].Level != batch.LevelDebug {
		t.Errorf("%+v", records)
	}
	if want := []string{"metric", "type", "contains", "value"}; !reflect.DeepEqual(records[0].TagOrder, want) {
		t.Errorf("%v", records[0].TagOrder)
	}
	if records[0].Tags["contains"] != "time" || records[0].Tags["type"] != "trend" {
		t.Errorf("%v", records[0].Tags)
	}
	b.stop(nil)
}

func TestIdentityOfARecord(t *testing.T) {
	runTags := map[string]string{"run_id": "r", "workload": "w", "repetition": "2"}
	for _, c := range []struct {
		tags     []string
		field    string
		want     any
		tagsLeft map[string]any
	}{
		{nil, "workload", "w", nil},
		{[]string{"workload", "v"}, "workload", "v", nil},
		{[]string{"repetition", "3"}, "repetition", float64(3), nil},
		{[]string{"repetition", "03"}, "repetition", float64(3), map[string]any{"repetition": "03"}},
		{[]string{"scenario", "spike"}, "scenario", "spike", nil},
		{[]string{"component", "../../etc/x"}, "component", "../../etc/x", nil},
		{[]string{"run_id", ""}, "run_id", "r", map[string]any{"run_id": ""}},
	} {
		b := started(t, runTags, nil)
		b.send(b.sample(b.builtin.VUs, 1, b.runTagged(c.tags...), nil))
		got := b.events("metric")[0]
		if !reflect.DeepEqual(got.Fields[c.field], c.want) && fmt.Sprint(got.Fields[c.field]) != fmt.Sprint(c.want) {
			t.Errorf("%v: %s is %v, want %v", c.tags, c.field, got.Fields[c.field], c.want)
		}
		for _, name := range identityTags {
			if got.Tags[name] != c.tagsLeft[name] {
				t.Errorf("%v: tag %s is %v, want %v", c.tags, name, got.Tags[name], c.tagsLeft[name])
			}
		}
		b.stop(nil)
	}
}

func TestConfigurationRanksAboveRunTags(t *testing.T) {
	b := started(t, map[string]string{"workload": "from-tags", "scenario": "from-tags"},
		map[string]any{"workload": "configured", "scenario": "configured"})
	set := b.runTagged("scenario", "default")
	b.send(b.sample(b.builtin.VUs, 1, set, nil), b.sample(b.builtin.VUs, 1, b.runTagged("workload", "mine"), nil))
	records := b.events("metric")
	if records[0].Fields["workload"] != "configured" || records[0].Tags["workload"] != "from-tags" {
		t.Errorf("%+v", records[0])
	}
	if records[0].Fields["scenario"] != "configured" || records[0].Tags["scenario"] != "default" {
		t.Errorf("the implicit scenario must not beat a configured one, nor vanish: %+v", records[0])
	}
	if records[1].Fields["workload"] != "mine" {
		t.Errorf("a sample's own tag must beat the configuration: %+v", records[1])
	}
	b.stop(nil)
}

func TestImpossibleIdentityIsRejectedAndCounted(t *testing.T) {
	b := started(t, nil, nil)
	for _, repetition := range []string{"0", "-1", "one", "1.5", "99999999999999999999"} {
		b.send(b.sample(b.builtin.VUs, 1, b.runTagged("repetition", repetition), nil))
	}
	long := string(make([]byte, 2000))
	b.send(b.sample(b.builtin.VUs, 1, b.runTagged("workload", long), nil))
	b.stop(nil)
	if b.core.Rejected() != 5 {
		t.Errorf("%d rejected", b.core.Rejected())
	}
	records := b.events("metric")
	if len(records) != 1 || records[0].Tags["workload"] != long || records[0].Fields["workload"] != "none" {
		t.Errorf("an identity that the core refuses stays among the tags: %d records", len(records))
	}
	if n := len(b.events("k6_log")); n != 2 {
		t.Errorf("%d notices, want one for each of the two mistakes", n)
	}
}

func TestModesAndFilters(t *testing.T) {
	count := func(values map[string]any) map[string]int {
		b := started(t, nil, values)
		traffic, iteration := b.iterationOf(b.runTagged(), nil)
		b.send(b.trail(b.runTagged("name", "n"), nil, true, false), traffic, iteration,
			b.sample(b.builtin.VUs, 1, b.tags(), nil), b.sample(b.builtin.Checks, 1, b.runTagged("check", "c"), nil))
		b.stop(nil)
		events := map[string]int{}
		for _, record := range b.core.Records() {
			events[record.Event()]++
		}
		if events["run_start"] != 1 || events["run_end"] != 1 {
			t.Errorf("%v: %v", values, events)
		}
		for _, event := range []string{"run_start", "run_end", "phase_start", "phase_end"} {
			delete(events, event)
		}
		return events
	}
	for _, c := range []struct {
		values map[string]any
		want   map[string]int
	}{
		{nil, map[string]int{"http_req": 1, "iteration": 1, "metric": 1, "check": 1, "metric_summary": 30}},
		{map[string]any{"k6.samples": "summary"}, map[string]int{"metric_summary": 30}},
		{map[string]any{"k6.samples": "none"}, map[string]int{}},
		{map[string]any{"k6.metrics_allow": "http_req_duration, check*"}, map[string]int{"http_req": 1, "check": 1, "metric_summary": 4}},
		{map[string]any{"k6.metrics_allow": []string{"data_*"}}, map[string]int{"iteration": 1, "metric_summary": 4}},
		{map[string]any{"k6.metrics_deny": "http_*,vus"}, map[string]int{"iteration": 1, "check": 1, "metric_summary": 10}},
	} {
		if got := count(c.values); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %v, want %v", c.values, got, c.want)
		}
	}
}

func TestFilteredFieldsOfARequest(t *testing.T) {
	b := started(t, nil, map[string]any{"k6.metrics_deny": "http_req_blocked,http_req_failed"})
	b.send(b.trail(b.runTagged("name", "n"), nil, true, true))
	tags := b.events("http_req")[0].Tags
	if _, there := tags["blocked_ms"]; there {
		t.Error("blocked_ms was denied")
	}
	if _, there := tags["failed"]; there || tags["duration_ms"] == nil {
		t.Errorf("%v", tags)
	}
	b.stop(nil)
}
