package lb

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.k6.io/k6/v2/output"
)

// Layers are ranked because two of ours sit below lb.toml, one beside it, and two above the environment; the core,
// which is the only validator, reads lb.toml and LB_* itself and puts them in between.
const (
	rankDefault  = "default"
	rankFile     = "file"
	rankArgument = "argument"
)

// block is the block of the configuration in which bare names are looked up.
const block = "k6"

// envPrefix marks the environment variables that are meant for this output alone.
const envPrefix = "K6_LB_"

// layer is one source of configuration, in the form that lb_logger_open takes.
type layer struct {
	Source    string         `json:"source"`
	Rank      string         `json:"rank"`
	Text      bool           `json:"text,omitempty"`
	Block     string         `json:"block,omitempty"`
	EnvPrefix string         `json:"env_prefix,omitempty"`
	Values    map[string]any `json:"values"`
}

// request is what this output asks of the core.
type request struct {
	ConfigPath string
	Layers     []layer
}

// identityTags are the run tags, and the sample tags, that say whose record it is.
var identityTags = [...]string{"run_id", "workload", "repetition", "component", "scenario"}

// newRequest gathers k6's own ways to configure an output; nothing is judged here but their syntax.
func newRequest(params output.Params) (request, error) {
	var req request
	req.add(layer{Source: "the defaults of --out " + Name, Rank: rankDefault, Values: map[string]any{
		"component": "k6", "on_full": "drop", "ring_bytes": 8 << 20,
	}})
	req.add(layer{Source: "k6's run tags", Rank: rankDefault, Text: true, Values: runTagValues(params.ScriptOptions.RunTags)})
	if err := req.addOptions(params.JSONConfig); err != nil {
		return req, err
	}
	req.addEnvironment(params.Environment)
	if err := req.addArgument(params.ConfigArgument); err != nil {
		return req, err
	}
	return req, nil
}

func (r *request) add(l layer) {
	if path, ok := l.Values["config"].(string); ok {
		r.ConfigPath = path
		delete(l.Values, "config")
	}
	if len(l.Values) > 0 {
		r.Layers = append(r.Layers, l)
	}
}

func runTagValues(tags map[string]string) map[string]any {
	values := map[string]any{}
	for _, name := range identityTags {
		if tags[name] != "" {
			values[name] = tags[name]
		}
	}
	return values
}

func (r *request) addOptions(options json.RawMessage) error {
	if len(options) == 0 || string(options) == "null" {
		return nil
	}
	values := map[string]any{}
	if err := json.Unmarshal(options, &values); err != nil {
		return fmt.Errorf("collectors[%q] of k6's JSON configuration must be an object: %w", Name, err)
	}
	r.add(layer{Source: "collectors of k6's JSON configuration", Rank: rankFile, Block: block, Values: values})
	return nil
}

// addEnvironment makes a layer of each variable, so that what the core says of it names the variable itself.
func (r *request) addEnvironment(environment map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		switch {
		case name == envPrefix+"CONFIG":
			r.ConfigPath = environment[name]
		case strings.HasPrefix(name, envPrefix):
			r.add(layer{
				Source: name, Rank: rankArgument, Text: true, Block: block, EnvPrefix: envPrefix,
				Values: map[string]any{name: environment[name]},
			})
		}
	}
}

func (r *request) addArgument(argument string) error {
	pairs, err := parseArgument(argument)
	if err != nil {
		return err
	}
	r.add(layer{Source: "--out " + Name, Rank: rankArgument, Text: true, Block: block, Values: pairs})
	return nil
}

// parseArgument reads key=value,key=value. A bare URL means loki.endpoint, and loki.enabled unless that is given, too; an
// item that has no = of its own belongs to the value before it, so that metrics_allow=checks,http_req* is one list.
func parseArgument(argument string) (map[string]any, error) {
	pairs := map[string]any{}
	last, bare := "", false
	for item := range strings.SplitSeq(argument, ",") {
		item = strings.TrimSpace(item)
		key, value, found := strings.Cut(item, "=")
		switch {
		case item == "":
			continue
		case strings.HasPrefix(item, "http://") || strings.HasPrefix(item, "https://"):
			key, value, bare = "loki.endpoint", item, true
		case found && key == "":
			return nil, fmt.Errorf("--out %s: %q has no key before its =", Name, item)
		case !found && last == "":
			return nil, fmt.Errorf("--out %s: %q is neither key=value nor a URL of Loki", Name, item)
		case !found:
			pairs[last] = fmt.Sprint(pairs[last], ",", item)
			continue
		}
		if _, twice := pairs[key]; twice {
			return nil, fmt.Errorf("--out %s: %q is given twice", Name, key)
		}
		pairs[key], last = value, key
	}
	if _, given := pairs["loki.enabled"]; bare && !given {
		pairs["loki.enabled"] = "true"
	}
	return pairs, nil
}

// encode makes the JSON for lb_logger_open; explicit keys rank above every layer.
func (r *request) encode(explicit map[string]any) ([]byte, error) {
	object := maps.Clone(explicit)
	if object == nil {
		object = map[string]any{}
	}
	if r.ConfigPath != "" {
		object["config"] = r.ConfigPath
	}
	object["layers"] = r.Layers
	return json.Marshal(object)
}

// effective is the answer of lb_logger_config.
type effective struct {
	Path   string `json:"path"`
	Values map[string]struct {
		Value  json.RawMessage `json:"value"`
		Source string          `json:"source"`
	} `json:"values"`
	Warnings []string `json:"warnings"`
}

// sampleMode says what becomes of k6's samples.
type sampleMode string

const (
	modeCompact sampleMode = "compact"
	modeRaw     sampleMode = "raw"
	modeSummary sampleMode = "summary"
	modeNone    sampleMode = "none"
)

// settings are the effective values that this side of the C boundary acts on.
type settings struct {
	path     string
	warnings []string

	runID, workload, component, scenario string
	repetition                           uint64
	instance                             string

	mode             sampleMode
	allow, deny      []string
	summaryInterval  time.Duration
	summaryMaxSeries int
	vuIter           bool
	flushInterval    time.Duration
	bufferSamples    int
	stopTimeout      time.Duration
	ringBytes        int
	loki             bool
}

// newSettings reads the effective configuration. What cannot be read is a disagreement of two versions, not a user's
// mistake: those the core has refused before.
func newSettings(config []byte, runTags map[string]string) (settings, error) {
	var answer effective
	if err := json.Unmarshal(config, &answer); err != nil {
		return settings{}, fmt.Errorf("the logging core's configuration cannot be read: %w", err)
	}
	read := reader{answer: answer}
	s := settings{
		path:             answer.Path,
		warnings:         answer.Warnings,
		runID:            read.text("run_id", ""),
		workload:         read.text("workload", "none"),
		component:        read.text("component", "k6"),
		scenario:         read.text("scenario", ""),
		repetition:       uint64(read.number("repetition", 1)),
		instance:         instanceID(runTags),
		mode:             sampleMode(read.text("k6.samples", string(modeCompact))),
		allow:            read.list("k6.metrics_allow"),
		deny:             read.list("k6.metrics_deny"),
		summaryInterval:  read.milliseconds("k6.summary_interval", 10_000),
		summaryMaxSeries: int(read.number("k6.summary_max_series", 2000)),
		vuIter:           read.boolean("k6.vu_iter", false),
		flushInterval:    read.milliseconds("k6.flush_interval", 200),
		bufferSamples:    int(read.number("k6.buffer_samples", 1_000_000)),
		stopTimeout:      read.milliseconds("k6.stop_timeout", 5000),
		ringBytes:        int(read.number("ring_bytes", 8<<20)),
		loki:             read.boolean("loki.enabled", false),
	}
	if !slices.Contains([]sampleMode{modeCompact, modeRaw, modeSummary, modeNone}, s.mode) {
		read.fail("k6.samples", errors.New("compact, raw, summary or none expected"))
	}
	// A ticker panics on zero, and an unbounded wait would hang k6's end.
	s.flushInterval = max(s.flushInterval, time.Millisecond)
	return s, read.err
}

// instanceID tells several k6 of one run apart: k6-operator numbers its runners by a run tag.
func instanceID(runTags map[string]string) string {
	if id := runTags["instance_id"]; id != "" {
		return id
	}
	return strconv.Itoa(os.Getpid())
}

// reader picks values and keeps the first error.
type reader struct {
	answer effective
	err    error
}

func (r *reader) fail(key string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("the logging core's value of %s cannot be used: %w", key, err)
	}
}

func pick[T any](r *reader, key string, absent T) T {
	entry, ok := r.answer.Values[key]
	if !ok || len(entry.Value) == 0 || string(entry.Value) == "null" {
		return absent
	}
	var value T
	if err := json.Unmarshal(entry.Value, &value); err != nil {
		r.fail(key, err)
		return absent
	}
	return value
}

func (r *reader) text(key, absent string) string            { return pick(r, key, absent) }
func (r *reader) number(key string, absent float64) float64 { return pick(r, key, absent) }
func (r *reader) boolean(key string, absent bool) bool      { return pick(r, key, absent) }
func (r *reader) milliseconds(key string, absent float64) time.Duration {
	return time.Duration(r.number(key, absent) * float64(time.Millisecond))
}

// list takes a JSON list or comma text.
func (r *reader) list(key string) []string {
	raw := pick(r, key, json.RawMessage(nil))
	if len(raw) == 0 {
		return nil
	}
	var items []string
	if raw[0] == '"' {
		items = strings.Split(r.text(key, ""), ",")
	} else {
		items = pick(r, key, items)
	}
	items = slices.Clone(items)
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return slices.DeleteFunc(items, func(item string) bool { return item == "" })
}
