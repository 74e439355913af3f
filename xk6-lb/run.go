package lb

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.k6.io/k6/v2/errext"
	"go.k6.io/k6/v2/errext/exitcodes"
	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/metrics"
	"go.k6.io/k6/v2/output"

	"github.com/lb-log/xk6-lb/internal/batch"
)

// writeRunStart records how the test was started, from an allow-list of options: others may hold secrets (headers,
// certificates, environment).
func writeRunStart(s *session, w *batch.Writer, params *output.Params, set *settings, thresholds map[string]metrics.Thresholds, now time.Time) {
	options := &params.ScriptOptions
	w.Begin(s.context(s.base, kindRunStart), now.UnixNano(), batch.LevelInfo, "run started")
	if params.ScriptPath != nil {
		w.String("script", params.ScriptPath.Path)
	}
	w.String("k6_version", moduleVersion("go.k6.io/k6/v2"))
	w.String("samples", string(set.mode))
	w.Unsigned("max_vus", lib.GetMaxPossibleVUs(params.ExecutionPlan))
	if planned, final := lib.GetEndOffset(params.ExecutionPlan); final {
		w.Integer("planned_ms", planned.Milliseconds())
	}
	if options.VUs.Valid {
		w.Integer("vus", options.VUs.Int64)
	}
	if options.Iterations.Valid {
		w.Integer("iterations", options.Iterations.Int64)
	}
	if options.Duration.Valid {
		w.Integer("duration_ms", options.Duration.TimeDuration().Milliseconds())
	}
	if options.RPS.Valid {
		w.Integer("rps", options.RPS.Int64)
	}
	if options.ExecutionSegment != nil {
		w.String("execution_segment", options.ExecutionSegment.String())
	}
	executors := map[string]string{}
	for name, config := range options.Scenarios {
		executors[name] = config.GetType()
	}
	writeJSON(w, "scenarios", executors)
	sources := map[string][]string{}
	for metric, list := range thresholds {
		for _, each := range list.Thresholds {
			sources[metric] = append(sources[metric], each.Source)
		}
	}
	if len(sources) > 0 {
		writeJSON(w, "thresholds", sources)
	}
	w.Boolean("no_thresholds", params.RuntimeOptions.NoThresholds.Bool)
	w.End()
}

func writeJSON(w *batch.Writer, key string, value any) {
	if text, err := json.Marshal(value); err == nil {
		w.String(key, string(text))
	}
}

// moduleVersion asks the program itself.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range append(info.Deps, &info.Main) {
		if module.Path != path {
			continue
		}
		if module.Replace != nil && module.Replace.Version != "" {
			return module.Replace.Version
		}
		return module.Version
	}
	return "unknown"
}

// writeThresholds records the verdicts. k6 has evaluated them for the last time before it stops its outputs, and the
// thresholds it gave us are its own.
func (p *pipeline) writeThresholds(thresholds map[string]metrics.Thresholds, now time.Time) {
	known := p.metricsByName()
	for _, name := range slices.Sorted(maps.Keys(thresholds)) {
		for _, each := range thresholds[name].Thresholds {
			level, verdict := batch.LevelInfo, " passed"
			if each.LastFailed {
				level, verdict = batch.LevelWarning, " failed"
			}
			w := &p.writer
			w.Begin(p.session.context(p.session.base, kindThreshold), now.UnixNano(), level, name+": "+each.Source+verdict)
			w.String("metric", name)
			w.String("expression", each.Source)
			w.Boolean("passed", !each.LastFailed)
			if value, ok := p.thresholdValue(findMetric(known, name), each.Source); ok {
				w.Number("value", value)
			} else {
				w.Null("value")
			}
			w.Boolean("abort_on_fail", each.AbortOnFail)
			w.End()
		}
	}
}

// metricsByName are the metrics that this run may have: k6's own and those that had a sample.
func (p *pipeline) metricsByName() map[string]*metrics.Metric {
	known := map[string]*metrics.Metric{}
	builtin := reflect.ValueOf(p.builtin).Elem()
	for i := range builtin.NumField() {
		if metric, ok := builtin.Field(i).Interface().(*metrics.Metric); ok && metric != nil {
			known[metric.Name] = metric
		}
	}
	for metric := range p.infos {
		known[metric.Name] = metric
	}
	return known
}

// findMetric finds a metric or, for name{tag:value}, the sub-metric that k6 made for the threshold.
func findMetric(known map[string]*metrics.Metric, name string) *metrics.Metric {
	parent, _, isSub := strings.Cut(name, "{")
	metric := known[parent]
	if metric == nil || !isSub {
		return metric
	}
	for _, sub := range metric.Submetrics {
		if sub.Name == name {
			return sub.Metric
		}
	}
	return nil
}

// thresholdValue is what k6 compared: the left side of the expression.
func (p *pipeline) thresholdValue(metric *metrics.Metric, expression string) (float64, bool) {
	if metric == nil || metric.Sink == nil || metric.Sink.IsEmpty() {
		return 0, false
	}
	method := strings.TrimSpace(expression[:max(strings.IndexAny(expression, "<>=!"), 0)])
	switch sink := metric.Sink.(type) {
	case *metrics.CounterSink:
		if method == "count" {
			return sink.Value, true
		}
		duration := p.phases.duration()
		return sink.Rate(duration), duration > 0
	case *metrics.GaugeSink:
		return sink.Value, true
	case *metrics.RateSink:
		return float64(sink.Trues) / float64(sink.Total), true
	case *metrics.TrendSink:
		return trendValue(sink, method)
	}
	return 0, false
}

func trendValue(sink *metrics.TrendSink, method string) (float64, bool) {
	switch method {
	case "avg":
		return sink.Avg(), true
	case "min":
		return sink.Min(), true
	case "max":
		return sink.Max(), true
	case "med":
		return sink.P(0.5), true
	}
	inner, found := strings.CutPrefix(method, "p(")
	percent, err := strconv.ParseFloat(strings.TrimSuffix(inner, ")"), 64)
	if !found || err != nil {
		return 0, false
	}
	return sink.P(percent / 100), true
}

// verdict is what the error that ended the test says.
type verdict struct {
	outcome string
	// inScriptPart: the script's own code ended it outside of an iteration.
	inScriptPart bool
	exitCode     int
	exitKnown    bool
}

func newVerdict(testError error) verdict {
	if testError == nil {
		return verdict{outcome: outcomePassed, exitKnown: true}
	}
	v := verdict{outcome: outcomeFailed}
	var coded errext.HasExitCode
	if errors.As(testError, &coded) {
		v.exitCode, v.exitKnown = int(coded.ExitCode()), true
		switch coded.ExitCode() {
		case exitcodes.SetupTimeout, exitcodes.TeardownTimeout, exitcodes.ScriptException:
			v.inScriptPart = true
		}
	}
	var reasoned errext.HasAbortReason
	if errors.As(testError, &reasoned) {
		switch reasoned.AbortReason() {
		case errext.AbortedByThresholdsAfterTestEnd, errext.AbortedByScriptError:
		default:
			v.outcome = outcomeAborted
		}
	}
	return v
}

// phaseOutcome: thresholds judged at the end break off no phase.
func (v verdict) phaseOutcome(testError error) string {
	var reasoned errext.HasAbortReason
	if errors.As(testError, &reasoned) && reasoned.AbortReason() == errext.AbortedByThresholdsAfterTestEnd {
		return outcomePassed
	}
	return v.outcome
}

// losses are what did not reach the core.
type losses struct{ samples, lines uint64 }

// writeRunEnd records how the test ended. What k6 still does after its outputs have stopped (handleSummary) is not in it.
func (p *pipeline) writeRunEnd(testError error, v verdict, started, now time.Time, lost losses) {
	level := batch.LevelInfo
	if v.outcome != outcomePassed {
		level = batch.LevelWarning
	}
	w := &p.writer
	w.Begin(p.session.context(p.session.base, kindRunEnd), now.UnixNano(), level, "run "+v.outcome)
	w.String("outcome", v.outcome)
	if testError != nil {
		w.String("error", testError.Error())
	}
	if v.exitKnown {
		w.Integer("exit_code", int64(v.exitCode))
	}
	w.Number("duration_ms", float64(now.Sub(started))/float64(time.Millisecond))
	w.Unsigned("samples", p.totals.samples)
	w.Unsigned("http_reqs", p.totals.requests)
	w.Unsigned("http_reqs_failed", p.totals.failedRequests)
	w.Unsigned("iterations", p.totals.iterations)
	w.Unsigned("checks_passed", p.totals.checksPassed)
	w.Unsigned("checks_failed", p.totals.checksFailed)
	w.Unsigned("samples_dropped", lost.samples)
	w.Unsigned("lines_dropped", lost.lines)
	if counts, err := p.session.logger.Stats(); err == nil {
		w.Unsigned("records_dropped", counts.Dropped)
		w.Unsigned("records_rejected", counts.Rejected)
	}
	w.End()
}

// duration is the time between the first and the last sign of any phase.
func (p *phases) duration() time.Duration {
	var first, last int64
	for _, each := range p.spans {
		if !each.seen {
			continue
		}
		if first == 0 || each.start < first {
			first = each.start
		}
		last = max(last, each.end)
	}
	return time.Duration(last - first)
}
