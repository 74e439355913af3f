package lb

import (
	"slices"
	"strings"

	"go.k6.io/k6/v2/metrics"

	"github.com/lb-log/xk6-lb/internal/batch"
)

// metricInfo is what is decided once per metric.
type metricInfo struct {
	name, contains string
	kind           metrics.MetricType
	allowed        bool
	isHTTP         bool
	level          uint8
	// warnsAt tells for which value a sample is a failure.
	warnsAt warning
	// head is the encoded beginning of the tags of its samples.
	head []byte
}

type warning uint8

const (
	warnNever warning = iota
	warnOnZero
	warnOnNonzero
)

// quiet are k6's own metrics whose samples say little one by one.
var quiet = []string{
	metrics.VUsName, metrics.VUsMaxName, metrics.IterationsName, metrics.IterationDurationName, metrics.ChecksName,
	metrics.DataSentName, metrics.DataReceivedName,
}

func newMetricInfo(m *metrics.Metric, filter metricFilter) *metricInfo {
	info := &metricInfo{
		name: m.Name, kind: m.Type, contains: containsText(m.Contains), allowed: filter.allows(m.Name),
		isHTTP: strings.HasPrefix(m.Name, "http_req"), level: batch.LevelInfo,
	}
	if slices.Contains(quiet, m.Name) {
		info.level = batch.LevelDebug
	}
	switch m.Name {
	case metrics.ChecksName:
		info.warnsAt = warnOnZero
	case metrics.HTTPReqFailedName:
		info.warnsAt = warnOnNonzero
	}
	info.head = batch.AppendString(info.head, "metric", m.Name)
	info.head = batch.AppendString(info.head, "type", m.Type.String())
	info.head = batch.AppendString(info.head, "contains", info.contains)
	return info
}

func (i *metricInfo) levelOf(value float64) uint8 {
	if (i.warnsAt == warnOnZero && value == 0) || (i.warnsAt == warnOnNonzero && value != 0) {
		return batch.LevelWarning
	}
	return i.level
}

func containsText(v metrics.ValueType) string {
	switch v {
	case metrics.Time:
		return "time"
	case metrics.Data:
		return "data"
	default:
		return "default"
	}
}

// metricFilter is the allow- and the deny-list; a trailing * stands for any end, and denying wins.
type metricFilter struct{ allow, deny []string }

func (f metricFilter) allows(name string) bool {
	return (len(f.allow) == 0 || matches(f.allow, name)) && !matches(f.deny, name)
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if stem, open := strings.CutSuffix(pattern, "*"); open {
			return strings.HasPrefix(name, stem)
		}
		return pattern == name
	})
}
