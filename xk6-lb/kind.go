package lb

import "strings"

// kind is a kind of record; each has an event_type and a logger.
type kind uint8

const (
	kindHTTP kind = iota
	kindIteration
	kindCheck
	kindMetric
	kindSummary
	kindRunStart
	kindRunEnd
	kindThreshold
	kindPhaseStart
	kindPhaseEnd
	kindConsole
	kindLog
	kindException
	kindCount
)

var kinds = [kindCount]struct{ event, logger string }{
	kindHTTP:       {"http_req", "k6.metrics"},
	kindIteration:  {"iteration", "k6.metrics"},
	kindCheck:      {"check", "k6.metrics"},
	kindMetric:     {"metric", "k6.metrics"},
	kindSummary:    {"metric_summary", "k6.summary"},
	kindRunStart:   {"run_start", "k6.run"},
	kindRunEnd:     {"run_end", "k6.run"},
	kindThreshold:  {"threshold", "k6.run"},
	kindPhaseStart: {"phase_start", "k6.run"},
	kindPhaseEnd:   {"phase_end", "k6.run"},
	kindConsole:    {"console", "k6.console"},
	kindLog:        {"k6_log", "k6"},
	kindException:  {"exception", "k6"},
}

// names is a set of tag names that belong to us in one kind of record.
type names map[string]struct{}

// newNames adds to those of the kind what every record of ours may bear: the instance, and the core's note of a cut.
func newNames(list ...string) names {
	set := names{"instance": {}, "truncated_bytes": {}}
	for _, name := range list {
		set[name] = struct{}{}
	}
	return set
}

var (
	httpNames = newNames("method", "name", "status", "failed", "duration_ms", "blocked_ms", "connecting_ms",
		"tls_handshaking_ms", "sending_ms", "waiting_ms", "receiving_ms")
	// httpSystemNames are ours and k6's alike: k6 itself overwrites a user's tag of these names.
	httpSystemNames = [...]string{"method", "name", "status"}
	iterationNames  = newNames("duration_ms", "data_sent", "data_received")
	checkNames      = newNames("passed")
	metricNames     = newNames("metric", "type", "contains", "value")
	logNames        = newNames("phase", "exception", "stack")
)

const (
	tagPrefix      = "tag_"
	metadataPrefix = "metadata_"
)

// rename gives a foreign name a prefix when it is one of ours, or one of ours behind such prefixes: a user's tag "value"
// becomes "tag_value" and one really called "tag_value" becomes "tag_tag_value", so that nothing collides and a reader
// can undo it.
func (n names) rename(name, prefix string) string {
	bare := name
	for strings.HasPrefix(bare, prefix) {
		bare = bare[len(prefix):]
	}
	if _, ours := n[bare]; ours {
		return prefix + name
	}
	return name
}
