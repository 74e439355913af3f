package lb

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/netext/httpext"
	"go.k6.io/k6/v2/metrics"
	"go.k6.io/k6/v2/output"

	"github.com/lb-log/xk6-lb/internal/coretest"
)

// bench is a k6 without k6: a registry, an output and a core in memory.
type bench struct {
	testing.TB
	core     *coretest.Core
	out      *Output
	logger   *logrus.Logger
	registry *metrics.Registry
	builtin  *metrics.BuiltinMetrics
	stderr   *bytes.Buffer
	clock    time.Time
	params   output.Params
}

// newBench makes an output that is not started. The flush interval is so long that only the test flushes.
func newBench(t testing.TB, runTags map[string]string, values map[string]any) *bench {
	t.Helper()
	b := &bench{
		TB: t, core: &coretest.Core{Values: map[string]any{"k6.flush_interval": 3600_000}}, logger: logrus.New(),
		registry: metrics.NewRegistry(), stderr: &bytes.Buffer{},
		clock: time.Date(2026, 11, 22, 10, 11, 12, 123456789, time.UTC),
	}
	for key, value := range values {
		b.core.Values[key] = value
	}
	b.builtin = metrics.RegisterBuiltinMetrics(b.registry)
	b.logger.SetOutput(io.Discard)
	b.logger.SetLevel(logrus.TraceLevel)
	system := metrics.DefaultSystemTagSet
	b.params = output.Params{
		Logger: b.logger, StdErr: b.stderr, StdOut: io.Discard,
		ScriptOptions: lib.Options{RunTags: runTags, SystemTags: &system},
	}
	return b
}

func (b *bench) construct() *bench {
	b.Helper()
	out, err := New(b.params, b.core.Open)
	if err != nil {
		b.Fatal(err)
	}
	b.out = out
	out.SetBuiltinMetrics(b.builtin)
	b.Cleanup(func() { active.CompareAndSwap(out, nil) })
	return b
}

func (b *bench) start() *bench {
	b.Helper()
	b.construct()
	if err := b.out.Start(); err != nil {
		b.Fatal(err)
	}
	return b
}

func started(t testing.TB, runTags map[string]string, values map[string]any) *bench {
	t.Helper()
	return newBench(t, runTags, values).start()
}

// send delivers containers as one tick of k6 and flushes.
func (b *bench) send(containers ...metrics.SampleContainer) {
	b.out.AddMetricSamples(containers)
	b.flush()
}

func (b *bench) flush() {
	b.Helper()
	if !b.out.thread.do(10*time.Second, b.out.flush) {
		b.Fatal("the thread is stuck")
	}
}

func (b *bench) stop(testError error) {
	b.Helper()
	if err := b.out.StopWithTestError(testError); err != nil {
		b.Fatal(err)
	}
}

// events are the records of one event_type.
func (b *bench) events(event string) []coretest.Record {
	var found []coretest.Record
	for _, record := range b.core.Records() {
		if record.Event() == event {
			found = append(found, record)
		}
	}
	return found
}

func (b *bench) tags(pairs ...string) *metrics.TagSet {
	set := b.registry.RootTagSet()
	for i := 0; i < len(pairs); i += 2 {
		set = set.With(pairs[i], pairs[i+1])
	}
	return set
}

// runTagged is a tag set as k6 makes them: run tags first, then group and scenario, then the rest.
func (b *bench) runTagged(pairs ...string) *metrics.TagSet {
	set := b.registry.RootTagSet().WithTagsFromMap(b.params.ScriptOptions.RunTags).With("group", "").With("scenario", "default")
	for i := 0; i < len(pairs); i += 2 {
		set = set.With(pairs[i], pairs[i+1])
	}
	return set
}

func (b *bench) sample(metric *metrics.Metric, value float64, tags *metrics.TagSet, metadata map[string]string) metrics.Sample {
	b.clock = b.clock.Add(time.Microsecond)
	return metrics.Sample{
		TimeSeries: metrics.TimeSeries{Metric: metric, Tags: tags}, Time: b.clock, Value: value, Metadata: metadata,
	}
}

// trail is a request as httpext hands it over; judged says whether k6 had a response callback.
func (b *bench) trail(tags *metrics.TagSet, metadata map[string]string, judged, failed bool) *httpext.Trail {
	b.clock = b.clock.Add(time.Millisecond)
	t := &httpext.Trail{
		EndTime: b.clock, Duration: 12345 * time.Microsecond, Blocked: 11 * time.Microsecond,
		Connecting: 22 * time.Microsecond, TLSHandshaking: 33 * time.Microsecond, Sending: 44 * time.Microsecond,
		Waiting: 12200 * time.Microsecond, Receiving: 101 * time.Microsecond,
	}
	t.SaveSamples(b.builtin, &metrics.TagsAndMeta{Tags: tags, Metadata: metadata})
	if judged {
		value := 0.0
		if failed {
			value = 1
		}
		t.Failed.Valid, t.Failed.Bool = true, failed
		t.Samples = append(t.Samples, metrics.Sample{
			TimeSeries: metrics.TimeSeries{Metric: b.builtin.HTTPReqFailed, Tags: tags}, Time: t.EndTime, Value: value, Metadata: metadata,
		})
	}
	return t
}

// iterationOf are the two containers with which k6 ends an iteration.
func (b *bench) iterationOf(tags *metrics.TagSet, metadata map[string]string) (traffic, iteration metrics.Samples) {
	b.clock = b.clock.Add(time.Millisecond)
	at := func(metric *metrics.Metric, value float64) metrics.Sample {
		return metrics.Sample{
			TimeSeries: metrics.TimeSeries{Metric: metric, Tags: tags}, Time: b.clock, Value: value, Metadata: metadata,
		}
	}
	return metrics.Samples{at(b.builtin.DataSent, 110), at(b.builtin.DataReceived, 2200)},
		metrics.Samples{at(b.builtin.IterationDuration, 33.25), at(b.builtin.Iterations, 1)}
}

// field reads the value that a record has of a sample, as a reader of the file would.
func field(record *coretest.Record, s *metrics.Sample) (float64, bool) {
	boolean := func(name string) (float64, bool) {
		flag, ok := record.Tags[name].(bool)
		if flag {
			return 1, ok
		}
		return 0, ok
	}
	number := func(name string) (float64, bool) {
		value, ok := record.Tags[name].(float64)
		return value, ok
	}
	name := s.Metric.Name
	switch record.Event() {
	case "http_req":
		switch name {
		case "http_reqs":
			return 1, true
		case "http_req_failed":
			return boolean("failed")
		}
		if stem, ok := strings.CutPrefix(name, "http_req_"); ok {
			return number(stem + "_ms")
		}
	case "iteration":
		switch name {
		case "iterations":
			return 1, true
		case "iteration_duration":
			return number("duration_ms")
		case "data_sent", "data_received":
			return number(name)
		}
	case "check":
		if name == "checks" {
			return boolean("passed")
		}
	case "metric":
		if record.Tags["metric"] == name {
			return number("value")
		}
	}
	return 0, false
}

var ownNames = map[string]names{
	"http_req": httpNames, "iteration": iterationNames, "check": checkNames, "metric": metricNames,
}

// holds tells whether a record has everything that --out json has of a sample.
func holds(record *coretest.Record, s *metrics.Sample) error {
	if record.TimestampNs != s.Time.UnixNano() {
		return fmt.Errorf("another time")
	}
	if value, ok := field(record, s); !ok || value != s.Value {
		return fmt.Errorf("value %v, %v", value, ok)
	}
	ours := ownNames[record.Event()]
	for key, value := range s.Tags.Map() {
		if fmt.Sprint(record.Fields[key]) == value && key != "logger" && key != "event_type" {
			continue
		}
		if key == "scenario" && value == "default" && record.Fields["scenario"] == nil {
			continue
		}
		name := ours.rename(key, tagPrefix)
		if record.Event() == "http_req" && (key == "method" || key == "name" || key == "status") {
			name = key
		}
		if fmt.Sprint(record.Tags[name]) != value {
			return fmt.Errorf("tag %s=%q not in %v", key, value, record.Tags)
		}
	}
	for key, value := range s.Metadata {
		found := false
		for name, has := range record.Tags {
			found = found || (has == value && strings.HasSuffix(name, key) &&
				strings.ReplaceAll(strings.TrimSuffix(name, key), metadataPrefix, "") == "")
		}
		if !found {
			return fmt.Errorf("metadata %s=%q not in %v", key, value, record.Tags)
		}
	}
	return nil
}

// mustHold fails unless every sample is in some record.
func (b *bench) mustHold(containers ...metrics.SampleContainer) {
	b.Helper()
	records := b.core.Records()
	for _, container := range containers {
		for _, s := range container.GetSamples() {
			var last error
			found := false
			for i := range records {
				err := holds(&records[i], &s)
				if err == nil {
					found = true
					break
				}
				if err.Error() != "another time" {
					last = err
				}
			}
			if !found {
				b.Errorf("sample %s=%v of %v %v is nowhere: %v", s.Metric.Name, s.Value, s.Tags.Map(), s.Metadata, last)
			}
		}
	}
}
