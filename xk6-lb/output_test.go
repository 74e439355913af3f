package lb

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.k6.io/k6/v2/errext"
	"go.k6.io/k6/v2/errext/exitcodes"
	"go.k6.io/k6/v2/metrics"
	"go.k6.io/k6/v2/output"

	"github.com/lb-log/xk6-lb/internal/batch"
	"github.com/lb-log/xk6-lb/internal/core"
	"github.com/lb-log/xk6-lb/internal/coretest"
)

func console(b *bench, line string) { b.logger.WithField("source", "console").Info(line) }

func TestEveryLineFromConstructionOn(t *testing.T) {
	b := newBench(t, nil, nil).construct()
	console(b, "before start")
	if n := len(b.events("console")); n != 1 {
		t.Fatalf("before Start a line is written at once, found %d", n)
	}
	if err := b.out.Start(); err != nil {
		t.Fatal(err)
	}
	console(b, "while it runs \xff\x00")
	if n := len(b.events("console")); n != 1 {
		t.Fatal("while the test runs nobody waits for the disk")
	}
	b.flush()
	console(b, "just before stop")
	b.stop(nil)
	console(b, "after stop")
	b.logger.WithField("hint", "script exception").Error("thresholds on metrics 'x' have been crossed")
	var lines []string
	for _, record := range b.events("console") {
		lines = append(lines, record.Message)
		if record.Fields["logger"] != "k6.console" || record.Tags["source"] != nil {
			t.Errorf("%+v", record)
		}
	}
	want := []string{"before start", "while it runs \xff\x00", "just before stop", "after stop"}
	if fmt.Sprintf("%q", lines) != fmt.Sprintf("%q", want) {
		t.Errorf("%q", lines)
	}
	last := b.events("k6_log")
	if len(last) != 1 || last[0].Level != batch.LevelError || last[0].Tags["hint"] != "script exception" {
		t.Errorf("%+v", last)
	}
	opened := b.core.Opened()
	if len(opened) != 3 || opened[0]["ring_dir"] != "memory" || opened[1]["ring_dir"] != nil || opened[2]["ring_dir"] != "memory" {
		t.Errorf("rings in shared memory only from Start to Stop: %v", opened)
	}
	if opened[1]["run_id"] != opened[2]["run_id"] || opened[1]["run_id"] == nil {
		t.Error("the same run all the time")
	}
}

func TestLogLines(t *testing.T) {
	b := started(t, nil, nil)
	b.logger.WithField("source", "stacktrace").Error("Error: boom\n\tat default (file:///s.js:3:8(4))")
	b.logger.WithFields(logrus.Fields{
		"n": 3, "u": uint8(4), "f": 1.5, "ok": true, "none": nil, "err": errors.New("e"), "took": 2 * time.Second,
		"list": []int{1, 2}, "instance": "theirs", "phase": "init", "tag_phase": "x", "panics": panics{},
	}).Debug("k6 says")
	b.stop(nil)
	exception := b.events("exception")[0]
	if exception.Tags["exception"] != "Error: boom" || !strings.Contains(exception.Message, "s.js:3:8") || exception.Level != batch.LevelError {
		t.Errorf("%+v", exception)
	}
	line := b.events("k6_log")[0]
	for name, want := range map[string]any{
		"n": int64(3), "u": uint64(4), "f": 1.5, "ok": true, "none": nil, "err": "e", "took": "2s", "list": "[1,2]",
		"tag_instance": "theirs", "tag_phase": "init", "tag_tag_phase": "x", "panics": "lb.panics",
	} {
		if got, there := line.Tags[name]; !there || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if line.Level != batch.LevelDebug || line.Fields["logger"] != "k6" {
		t.Errorf("%+v", line)
	}
}

type panics struct{}

func (panics) String() string { panic("no") }

func TestSecondOutputIsRefused(t *testing.T) {
	b := newBench(t, nil, nil).construct()
	if _, err := New(b.params, b.core.Open); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Fatalf("%v", err)
	}
	if err := b.out.Start(); err != nil {
		t.Fatal(err)
	}
	b.stop(nil)
	again := &coretest.Core{}
	out, err := New(b.params, again.Open)
	if err != nil {
		t.Fatalf("after Stop another test may run in this process: %v", err)
	}
	active.CompareAndSwap(out, nil)
}

func TestRefusedConfigurationEndsNew(t *testing.T) {
	b := newBench(t, nil, nil)
	b.core.OpenError = &core.Error{Code: core.CodeConfig, Message: "k6.samples: unknown value"}
	for range 2 {
		if _, err := New(b.params, b.core.Open); err == nil || err.Error() != "k6.samples: unknown value" {
			t.Fatalf("%v", err)
		}
	}
}

func TestClosingLineAndRunEnd(t *testing.T) {
	b := started(t, nil, map[string]any{"k6.buffer_samples": 10})
	b.out.AddMetricSamples([]metrics.SampleContainer{
		b.sample(b.builtin.VUs, 1, b.tags(), nil), b.sample(b.builtin.VUs, 1, b.tags(), nil),
		b.trail(b.tags(), nil, true, true), b.sample(b.builtin.VUs, 1, b.tags(), nil),
	})
	testError := errext.WithAbortReasonIfNone(
		errext.WithExitCodeIfNone(errors.New("thresholds crossed"), exitcodes.ThresholdsHaveFailed), errext.AbortedByThresholdsAfterTestEnd)
	b.stop(testError)
	line := b.stderr.String()
	want := fmt.Sprintf("lb-loki: records %d, file logs/k6-h.jsonl, pending 0, dropped 0, samples dropped 10\n", len(b.core.Records()))
	if line != want {
		t.Errorf("%q\nwant %q", line, want)
	}
	end := b.events("run_end")[0]
	if end.Tags["exit_code"] != int64(99) || end.Tags["outcome"] != "failed" || end.Tags["error"] != "thresholds crossed" ||
		end.Tags["samples_dropped"] != uint64(10) || end.Tags["samples"] != uint64(2) {
		t.Errorf("%+v", end.Tags)
	}
}

func TestWithLokiTheClosingLineTellsWhatItHas(t *testing.T) {
	b := started(t, nil, map[string]any{"loki.enabled": true})
	b.core.Loki = core.Delivery{Enabled: true, Acknowledged: 7, Pending: 2}
	b.stop(nil)
	want := fmt.Sprintf("lb-loki: records %d, file logs/k6-h.jsonl, acknowledged 7, pending 2, dropped 0\n", len(b.core.Records()))
	if line := b.stderr.String(); line != want {
		t.Errorf("%q\nwant %q", line, want)
	}
}

// Only a close waits for Loki. Where one has failed, what is said of it has opened the log again already.
func TestBehindStopTheLogIsClosedAfterEachLineWhereLokiAnswers(t *testing.T) {
	for _, c := range []struct {
		loki       bool
		closeError error
		opened     int
	}{{true, nil, 3}, {false, nil, 1}, {true, &core.Error{Code: core.CodeTimeout, Message: "2 lines are not in Loki yet"}, 0}} {
		b := started(t, nil, map[string]any{"loki.enabled": c.loki})
		b.core.CloseError = c.closeError
		b.stop(nil)
		before := len(b.core.Opened())
		for _, line := range []string{"one", "two", "three"} {
			console(b, line)
		}
		if got := len(b.core.Opened()) - before; got != c.opened || len(b.events("console")) != 3 {
			t.Errorf("%+v: opened %d times, %d lines", c, got, len(b.events("console")))
		}
	}
}

func TestTheBufferHoldsExactlyItsLimit(t *testing.T) {
	b := newBench(t, nil, nil)
	slice := []metrics.SampleContainer{b.trail(b.tags(), nil, true, true), b.sample(b.builtin.VUs, 1, b.tags(), nil)}
	const samples, fit = 10, 100
	buffer := newSampleBuffer(samples*fit + 1)
	for round := range uint64(3) {
		for range fit + 2 {
			buffer.add(slice)
		}
		// Of the last two slices nothing fits, and the first one's trail keeps out the sample behind it.
		if taken := buffer.take(); len(taken) != fit || buffer.lost() != 2*samples*(round+1) {
			t.Errorf("round %d: %d slices, %d samples dropped", round, len(taken), buffer.lost())
		}
	}
}

func TestThresholdVerdicts(t *testing.T) {
	b := newBench(t, nil, nil).construct()
	list := metrics.NewThresholds([]string{"p(95)<200", "avg < 10"})
	list.Thresholds[1].LastFailed, list.Thresholds[1].AbortOnFail = true, true
	b.out.SetThresholds(map[string]metrics.Thresholds{"http_req_duration": list, "unknown": metrics.NewThresholds([]string{"count>1"})})
	if err := b.out.Start(); err != nil {
		t.Fatal(err)
	}
	for _, value := range []float64{10, 20, 30} {
		b.builtin.HTTPReqDuration.Sink.Add(b.sample(b.builtin.HTTPReqDuration, value, b.tags(), nil))
	}
	b.stop(nil)
	records := b.events("threshold")
	if len(records) != 3 {
		t.Fatalf("%+v", records)
	}
	first, second, third := records[0], records[1], records[2]
	if first.Tags["passed"] != true || first.Tags["metric"] != "http_req_duration" || first.Tags["value"] != 29.0 {
		t.Errorf("%+v", first)
	}
	if second.Tags["passed"] != false || second.Tags["value"] != 20.0 || second.Level != batch.LevelWarning || second.Tags["abort_on_fail"] != true {
		t.Errorf("%+v", second)
	}
	if third.Tags["value"] != nil {
		t.Errorf("%+v", third)
	}

	b = newBench(t, nil, nil)
	b.params.RuntimeOptions.NoThresholds.Bool = true
	b.construct().out.SetThresholds(map[string]metrics.Thresholds{"vus": list})
	if err := b.out.Start(); err != nil {
		t.Fatal(err)
	}
	b.stop(nil)
	if n := len(b.events("threshold")); n != 0 {
		t.Errorf("%d threshold records under --no-thresholds", n)
	}
}

func TestPhases(t *testing.T) {
	scriptError := errext.WithExitCodeIfNone(errors.New("boom"), exitcodes.ScriptException)
	abort := errext.WithAbortReasonIfNone(errext.WithExitCodeIfNone(errors.New("^C"), exitcodes.ExternalAbort), errext.AbortedByUser)
	setup, run, teardown := "::setup", "", "::teardown"
	for _, c := range []struct {
		groups []string
		err    error
		want   string
	}{
		{[]string{setup, run, teardown}, nil, "[setup passed run passed teardown passed]"},
		{[]string{run}, nil, "[run passed]"},
		{[]string{setup}, scriptError, "[setup failed]"},
		{[]string{setup, run, teardown}, scriptError, "[setup passed run passed teardown failed]"},
		{[]string{setup, run, teardown}, abort, "[setup passed run aborted teardown passed]"},
		{[]string{setup}, abort, "[setup aborted]"},
		{nil, scriptError, "[]"},
	} {
		b := started(t, nil, nil)
		for _, group := range c.groups {
			tags := b.tags("group", group)
			if group == run {
				tags = b.runTagged()
			}
			b.send(b.trail(tags, nil, true, false))
			traffic, iteration := b.iterationOf(tags, nil)
			b.send(traffic)
			if group == run {
				b.send(iteration)
			}
		}
		b.stop(c.err)
		var got []string
		for _, record := range b.events("phase_end") {
			got = append(got, fmt.Sprint(record.Tags["phase"], " ", record.Tags["outcome"]))
			if ms, ok := record.Tags["duration_ms"].(float64); !ok || ms <= 0 {
				t.Errorf("%+v", record)
			}
		}
		if fmt.Sprint(got) != c.want || len(b.events("phase_start")) != len(got) {
			t.Errorf("%v after %v: %v", c.groups, c.err, got)
		}
	}
}

func TestRunStartTellsNoSecrets(t *testing.T) {
	b := newBench(t, map[string]string{"password": "hunter2"}, nil)
	b.params.RuntimeOptions.Env = map[string]string{"TOKEN": "hunter2"}
	b.start()
	b.stop(nil)
	if text := fmt.Sprint(b.events("run_start")); strings.Contains(text, "hunter2") || !strings.Contains(text, "samples:compact") {
		t.Error(text)
	}
}

func TestSamplesAreDeliveredInMicroseconds(t *testing.T) {
	b := started(t, nil, nil)
	release := make(chan struct{})
	b.core.BeforePush = func() { <-release }
	go b.out.flushNow(time.Second)
	begin := time.Now()
	for range 1000 {
		b.out.AddMetricSamples([]metrics.SampleContainer{b.sample(b.builtin.VUs, 1, b.tags(), nil)})
		console(b, "a line")
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("1000 deliveries took %v while the disk hung", took)
	}
	close(release)
	b.stop(nil)
	if got := len(b.events("metric")); got != 1000 {
		t.Errorf("%d records", got)
	}
}

func TestHangingDiskDoesNotHangTheEnd(t *testing.T) {
	b := started(t, nil, map[string]any{"k6.stop_timeout": 50})
	release := make(chan struct{})
	b.core.BeforePush = func() { <-release }
	defer close(release)
	begin := time.Now()
	b.stop(nil)
	for range 3 {
		console(b, "late")
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("the end took %v", took)
	}
	if !strings.Contains(b.stderr.String(), "did not close within") {
		t.Errorf("%q", b.stderr.String())
	}
}

func TestPanicOfOursIsCaughtAndSaid(t *testing.T) {
	b := started(t, nil, nil)
	b.out.AddMetricSamples([]metrics.SampleContainer{metrics.Samples{{}}}) // no metric: a bug of somebody's
	b.flush()
	b.send(b.sample(b.builtin.VUs, 1, b.tags(), nil))
	b.stop(nil)
	if len(b.events("metric")) != 1 || len(b.events("run_end")) != 1 {
		t.Errorf("%+v", b.core.Records())
	}
}

func TestAnEndThatBreaksOffStillTakesLines(t *testing.T) {
	b := started(t, nil, nil)
	console(b, "before")
	var once sync.Once
	b.core.BeforePush = func() { once.Do(func() { panic("ours") }) }
	b.stop(nil)
	console(b, "after")
	if lines := b.events("console"); len(lines) != 1 || lines[0].Message != "after" {
		t.Errorf("%+v", lines)
	}
	if !strings.Contains(b.stderr.String(), "did not close") || len(b.events("k6_log")) != 1 {
		t.Errorf("%q", b.stderr.String())
	}
}

func TestManyGoroutinesLog(t *testing.T) {
	b := newBench(t, nil, map[string]any{"k6.flush_interval": 1}).start()
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 200 {
				console(b, fmt.Sprint(g, " ", i))
			}
		})
	}
	time.Sleep(2 * time.Millisecond)
	b.stop(nil) // some lines come after it
	group.Wait()
	next := map[string]int{}
	for _, record := range b.events("console") {
		var g string
		var i int
		if _, err := fmt.Sscan(record.Message, &g, &i); err != nil {
			t.Fatal(err)
		}
		if next[g] != i {
			t.Fatalf("goroutine %s: line %d where %d was due", g, i, next[g])
		}
		next[g]++
	}
	for g, n := range next {
		if n != 200 {
			t.Errorf("goroutine %s: %d lines", g, n)
		}
	}
}

func TestFatalLineIsFlushedAtOnce(t *testing.T) {
	b := started(t, nil, nil)
	b.logger.WithField("sig", "interrupt").Error("Aborting k6 in response to signal")
	if len(b.events("k6_log")) != 1 {
		t.Error("k6 exits behind this line without Stop")
	}
	b.stop(nil)
}

func TestVUAndIteration(t *testing.T) {
	b := newBench(t, nil, map[string]any{"k6.vu_iter": true}).construct()
	if tags := b.params.ScriptOptions.SystemTags; !tags.Has(metrics.TagVU) || !tags.Has(metrics.TagIter) {
		t.Error("k6 was not told")
	}
	_ = b.out.Start()
	b.stop(nil)
}

func TestBatchesAreSplit(t *testing.T) {
	b := started(t, nil, map[string]any{"ring_bytes": 64 << 10})
	var all []metrics.SampleContainer
	for range 1000 {
		all = append(all, b.trail(b.runTagged("name", "n"), nil, true, false))
	}
	before := b.core.Pushes
	b.send(all...)
	if pushes := b.core.Pushes - before; pushes < 10 {
		t.Errorf("%d pushes into a ring of 64 KiB", pushes)
	}
	b.stop(nil)
	if got := len(b.events("http_req")); got != 1000 {
		t.Errorf("%d records", got)
	}
}

var _ output.Output = (*Output)(nil)
