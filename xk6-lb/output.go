package lb

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"go.k6.io/k6/v2/metrics"
	"go.k6.io/k6/v2/output"

	"github.com/lb-log/xk6-lb/internal/batch"
	"github.com/lb-log/xk6-lb/internal/core"
)

// Life of an output:
//
//	New    configuration judged by the core, which opens the log; k6's log lines are written through from here on
//	Start  the log opened anew with a ring in shared memory; samples and log lines are collected and flushed at intervals
//	Stop   the last flush; summaries, thresholds, phases and run_end; the log closed; one line for the user
//	then   k6 logs why it failed, runs handleSummary and exits without a word: each line is again written through, and
//	       pushed to Loki, if that is enabled, within what Stop has left of its deadline
//
// Outside of Start…Stop the log is open with a ring in plain memory: the process may end there at any moment without
// Stop, and then neither a ring file nor its note stays behind. Everything that touches the core runs on one thread.
type Output struct {
	params    output.Params
	request   request
	open      core.Opener
	settings  settings
	thread    *thread
	samples   sampleBuffer
	lines     logBuffer
	notices   notices
	now       func() time.Time
	testError error
	// stuck: the last line could not be written through; broken: the user has been told so.
	stuck, broken atomic.Bool

	builtin    *metrics.BuiltinMetrics
	thresholds map[string]metrics.Thresholds

	// The rest belongs to the thread.
	session  *session
	pipeline *pipeline
	direct   batch.Writer
	stats    core.Stats
	started  time.Time
	ticker   *time.Ticker
	closing  string
	// stopBy: until then lines that k6 logs behind Stop are pushed to Loki, too; zero where there is no such time.
	stopBy time.Time
}

var (
	_ output.Output                = (*Output)(nil)
	_ output.WithThresholds        = (*Output)(nil)
	_ output.WithBuiltinMetrics    = (*Output)(nil)
	_ output.WithStopWithTestError = (*Output)(nil)
)

// active is the one output that may exist: a second one would record every sample and log line twice.
var active atomic.Pointer[Output]

// New opens the log, so that a mistake in the configuration ends k6 before the test.
func New(params output.Params, open core.Opener) (*Output, error) {
	o := &Output{params: params, open: open, now: time.Now}
	if !active.CompareAndSwap(nil, o) {
		return nil, fmt.Errorf("--out %s is given twice: one output records everything already", Name)
	}
	if err := o.prepare(); err != nil {
		o.abandon()
		return nil, err
	}
	return o, nil
}

func (o *Output) prepare() error {
	var err error
	if o.request, err = newRequest(o.params); err != nil {
		return err
	}
	o.notices.logger = o.params.Logger.WithField("output", Name)
	o.thread = newThread(o.flush, o.recovered)
	if !o.thread.do(openTimeout, func() { err = o.openLog(map[string]any{"ring_dir": "memory"}) }) {
		err = errors.New("the log could not be opened in time: does its disk answer?")
	}
	if err != nil {
		return err
	}
	o.samples = newSampleBuffer(o.settings.bufferSamples)
	if o.settings.vuIter && o.params.ScriptOptions.SystemTags != nil {
		// k6 reads these again for each virtual user, so all outputs get the two.
		o.params.ScriptOptions.SystemTags.Add(metrics.TagVU)
		o.params.ScriptOptions.SystemTags.Add(metrics.TagIter)
	}
	if logger := rootLogger(o.params.Logger); logger != nil {
		logger.AddHook(logHook{o})
	} else {
		o.notices.leave("logger", "k6's logger has changed: log lines are not recorded")
	}
	for _, warning := range o.settings.warnings {
		o.notices.leave("warning:"+warning, warning)
	}
	o.notices.tell()
	return nil
}

// recovered throws away what a panic of ours left half written; what was in the batch is lost, and said.
func (o *Output) recovered(reason any) {
	o.notices.leave("panic", fmt.Sprintf("a mistake in %s, please report it; some records are lost: %v", Name, reason))
	o.direct.Reset(keepBatchBytes)
	if o.pipeline != nil {
		o.pipeline.writer.Reset(keepBatchBytes)
	}
	o.tellLater()
}

func rootLogger(logger logrus.FieldLogger) *logrus.Logger {
	switch l := logger.(type) {
	case *logrus.Logger:
		return l
	case *logrus.Entry:
		return l.Logger
	default:
		return nil
	}
}

// abandon undoes a New that failed.
func (o *Output) abandon() {
	if o.thread != nil {
		o.thread.do(openTimeout, func() { o.closeLog(closeTimeout) })
		close(o.thread.quit)
	}
	active.CompareAndSwap(o, nil)
}

const (
	openTimeout  = 10 * time.Second
	closeTimeout = time.Second
)

// openLog opens the log on the thread. Whatever was decided the first time (a run id made of the clock) holds again.
func (o *Output) openLog(explicit map[string]any) error {
	if o.settings.runID != "" {
		explicit["run_id"] = o.settings.runID
	}
	config, err := o.request.encode(explicit)
	if err != nil {
		return err
	}
	logger, err := o.open(config)
	if err != nil {
		return err
	}
	if o.settings.runID == "" {
		o.settings, err = newSettings(logger.Config(), o.params.ScriptOptions.RunTags)
	}
	if err == nil {
		o.session, err = newSession(logger, &o.settings, o.notices.leave)
	}
	if err != nil {
		_ = logger.Close(closeTimeout) // nothing is in it yet
		logger.Free()
	}
	return err
}

// closeLog closes what is open, on the thread, and keeps its counters.
func (o *Output) closeLog(deadline time.Duration) {
	if o.session == nil {
		return
	}
	err := o.session.logger.Close(deadline)
	if counts, statsErr := o.session.logger.Stats(); statsErr == nil {
		o.stats.Add(counts)
	}
	o.session.logger.Free()
	o.session = nil
	if err != nil {
		o.notices.leave("close: "+err.Error(), err.Error())
		o.stopBy = time.Time{} // one wait for a disk or a Loki that does not answer is enough
	}
}

// Description is what k6 shows before the test.
func (o *Output) Description() string { return fmt.Sprintf("%s (%s)", Name, o.settings.path) }

// SetThresholds keeps k6's own thresholds, whose verdicts are read at the end.
func (o *Output) SetThresholds(thresholds map[string]metrics.Thresholds) { o.thresholds = thresholds }

// SetBuiltinMetrics keeps k6's own metrics, by which samples are told apart.
func (o *Output) SetBuiltinMetrics(builtin *metrics.BuiltinMetrics) { o.builtin = builtin }

// Start opens the log for the run and begins to flush.
func (o *Output) Start() error {
	if o.builtin == nil {
		o.builtin = metrics.RegisterBuiltinMetrics(metrics.NewRegistry())
	}
	var err error
	if !o.thread.do(openTimeout, func() { err = o.start() }) {
		err = errors.New("the log could not be opened in time: does its disk answer?")
	}
	if err != nil {
		// k6 still logs this error, and the thread writes it through if it can.
		active.CompareAndSwap(o, nil)
		return err
	}
	o.notices.tell()
	return nil
}

func (o *Output) start() error {
	o.closeLog(closeTimeout)
	if err := o.openLog(map[string]any{}); err != nil {
		return err
	}
	o.started = o.now()
	var err error
	o.pipeline, err = newPipeline(o.session, &o.settings, o.builtin, o.params.ScriptOptions.RunTags, o.started)
	if err != nil {
		return err
	}
	writeRunStart(o.session, &o.pipeline.writer, &o.params, &o.settings, o.thresholds, o.started)
	o.session.push(&o.pipeline.writer)
	o.lines.setOpen()
	o.ticker = time.NewTicker(o.settings.flushInterval)
	o.thread.ticks = o.ticker.C
	return nil
}

// AddMetricSamples is called by the one goroutine that feeds all of k6's outputs: it only keeps the slice.
func (o *Output) AddMetricSamples(containers []metrics.SampleContainer) {
	o.samples.add(containers)
}

// flush hands over what has come since the last time. On the thread.
func (o *Output) flush() {
	if o.pipeline == nil {
		return
	}
	o.drain(false)
	o.pipeline.settle(o.now(), false)
	o.tellLater()
}

// drain encodes the buffered samples and lines.
func (o *Output) drain(last bool) {
	taken := o.samples.take()
	for _, containers := range taken {
		o.pipeline.consume(containers)
	}
	o.samples.giveBack(taken)
	lines := o.lines.take(last)
	for i := range lines {
		lines[i].write(o.session, &o.pipeline.writer)
		if o.pipeline.writer.Len() >= o.pipeline.splitAt {
			o.session.push(&o.pipeline.writer)
		}
	}
	o.lines.giveBack(lines)
}

// tellLater logs notices from another goroutine: this is the thread, which the hook would wait for.
func (o *Output) tellLater() { go o.notices.tell() }

// flushNow is for the few lines behind which k6 ends without Stop.
func (o *Output) flushNow(timeout time.Duration) {
	o.thread.do(timeout, func() {
		o.flush()
		if o.session != nil {
			_ = o.session.logger.Flush(timeout) // what fails is in the ring, which outlives the process
		}
	})
}

// Stop ends a run of which no error is known.
func (o *Output) Stop() error { return o.StopWithTestError(nil) }

// StopWithTestError writes what is left and closes the log, all within stop_timeout. It never fails the test: what was
// lost or is pending is in the line that it prints.
func (o *Output) StopWithTestError(testError error) error {
	o.testError = testError
	o.samples.close()
	closing := ""
	if o.thread.do(o.settings.stopTimeout+stopSlack, o.finish) {
		closing = o.closing
	}
	if closing == "" {
		// Broken off or stuck; if the thread still lives, what comes later is written through all the same.
		o.thread.do(stuckTimeout, func() { o.closeLog(closeTimeout) })
		closing = fmt.Sprintf("%s: the log in %s did not close within %v: what is in its ring is written by the next "+
			"process that opens it, or by `lb drain`", Name, o.settings.path, o.settings.stopTimeout)
	}
	// Only a last flush that broke off leaves lines here.
	for _, line := range o.lines.take(true) {
		o.writeThrough(line)
	}
	o.notices.tell()
	if o.params.StdErr != nil {
		_, _ = fmt.Fprintln(o.params.StdErr, closing) // nobody is left to tell
	}
	active.CompareAndSwap(o, nil)
	return nil
}

// stopSlack lets the core's own deadline, which is the precise one, end first.
const stopSlack = time.Second

// finish is Stop on the thread.
func (o *Output) finish() {
	if o.pipeline == nil {
		return
	}
	// Even if this breaks off: from here on lines must not wait for another flush.
	defer func() { o.pipeline = nil }()
	o.stopBy = o.now().Add(o.settings.stopTimeout)
	o.ticker.Stop()
	o.thread.ticks = nil
	p, now, v := o.pipeline, o.now(), newVerdict(o.testError)
	o.drain(true)
	p.settle(now, true)
	p.phases.stop(o.session, &p.writer, v.phaseOutcome(o.testError), v.inScriptPart)
	if !o.params.RuntimeOptions.NoThresholds.Bool {
		p.writeThresholds(o.thresholds, now)
	}
	lost := losses{samples: o.samples.lost(), lines: o.lines.lost()}
	p.writeRunEnd(o.testError, v, o.started, now, lost)
	o.session.push(&p.writer)
	o.closeLog(max(o.stopBy.Sub(o.now()), closeTimeout))
	o.closing = closingLine(o.settings.path, o.stats, lost)
}

// closingLine is the one line before k6's own summary.
func closingLine(path string, stats core.Stats, lost losses) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: records %d, file %s, ", Name, stats.Written, path)
	if stats.Loki.Enabled {
		fmt.Fprintf(&b, "acknowledged %d, ", stats.Loki.Acknowledged)
	}
	// What is in a ring is neither in the file nor in Loki.
	fmt.Fprintf(&b, "pending %d, dropped %d", stats.Queued+stats.Loki.Pending, stats.Dropped)
	for _, more := range []struct {
		name  string
		count uint64
	}{
		{"rejected", stats.Rejected}, {"cut", stats.Truncated}, {"samples dropped", lost.samples}, {"lines dropped", lost.lines},
	} {
		if more.count > 0 {
			fmt.Fprintf(&b, ", %s %d", more.name, more.count)
		}
	}
	return b.String()
}

// writeThrough puts a log line into the file before it returns: before Start and after Stop k6 may exit at any moment.
func (o *Output) writeThrough(line logLine) {
	timeout := max(o.settings.stopTimeout, closeTimeout)
	if o.stuck.Load() {
		// One long wait is enough: k6 may have a hundred lines more.
		timeout = stuckTimeout
	}
	result := make(chan error, 1)
	var failure error
	if o.thread.do(timeout, func() { result <- o.writeLine(&line) }) {
		failure = <-result
	} else {
		failure = errors.New("the disk does not answer")
	}
	o.stuck.Store(failure != nil)
	if failure != nil {
		o.lines.lose()
		o.sayBroken(failure)
	}
}

const stuckTimeout = 100 * time.Millisecond

// writeLine is writeThrough on the thread.
func (o *Output) writeLine(line *logLine) error {
	if o.pipeline != nil {
		// The line was on its way while Start took over; it goes with the next flush.
		line.write(o.session, &o.pipeline.writer)
		return nil
	}
	if o.session == nil {
		if err := o.openLog(map[string]any{"ring_dir": "memory"}); err != nil {
			return err
		}
	}
	line.write(o.session, &o.direct)
	o.session.push(&o.direct)
	if err := o.session.logger.Flush(max(o.settings.stopTimeout, closeTimeout)); err != nil {
		return err
	}
	// Only a close waits for Loki, and k6 may exit behind any of these lines.
	if left := o.stopBy.Sub(o.now()); o.settings.loki && left > 0 {
		o.closeLog(left)
	}
	return nil
}

// sayBroken tells, once, that log lines are lost where the logger itself cannot be used any more.
func (o *Output) sayBroken(failure error) {
	if o.params.StdErr == nil || !o.broken.CompareAndSwap(false, true) {
		return
	}
	_, _ = fmt.Fprintf(o.params.StdErr, "%s: k6's log lines cannot be written to %s: %v\n", Name, o.settings.path, failure)
}
