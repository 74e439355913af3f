// Package timed is a k6 output for benches/: each batch of samples goes to the output under test and to one that does
// nothing, and how long each took is written to a file.
//
//	BENCH_CALLS=calls.json k6 run --out timed=lb-loki script.js
package timed

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"go.k6.io/k6/v2/ext"
	"go.k6.io/k6/v2/metrics"
	"go.k6.io/k6/v2/output"
)

func init() {
	output.RegisterExtension("timed", open)
}

// calls are the nanoseconds of each call of AddMetricSamples.
type calls struct {
	Tested []int64 `json:"tested"`
	Empty  []int64 `json:"empty"`
}

// timed passes on whatever k6 tells the output under test.
type timed struct {
	output.Output
	empty output.Output
	path  string
	calls calls
}

var (
	_ output.WithThresholds        = (*timed)(nil)
	_ output.WithBuiltinMetrics    = (*timed)(nil)
	_ output.WithStopWithTestError = (*timed)(nil)
)

func open(params output.Params) (output.Output, error) {
	path := params.Environment["BENCH_CALLS"]
	if path == "" {
		return nil, errors.New("BENCH_CALLS does not name a file for the result")
	}
	name := params.ConfigArgument
	extension := ext.Get(ext.OutputExtension)[name]
	if extension == nil {
		return nil, fmt.Errorf("there is no output %q to time", name)
	}
	constructor, ok := extension.Module.(output.Constructor)
	if !ok {
		return nil, fmt.Errorf("%q is no output", name)
	}
	params.OutputType, params.ConfigArgument = name, ""
	tested, err := constructor(params)
	if err != nil {
		return nil, err
	}
	return &timed{Output: tested, empty: empty{}, path: path}, nil
}

// AddMetricSamples takes turns in who comes first: the first one may find the samples colder.
func (t *timed) AddMetricSamples(samples []metrics.SampleContainer) {
	if len(t.calls.Empty)%2 == 0 {
		t.calls.Tested = append(t.calls.Tested, nanoseconds(t.Output, samples))
		t.calls.Empty = append(t.calls.Empty, nanoseconds(t.empty, samples))
	} else {
		t.calls.Empty = append(t.calls.Empty, nanoseconds(t.empty, samples))
		t.calls.Tested = append(t.calls.Tested, nanoseconds(t.Output, samples))
	}
}

func nanoseconds(to output.Output, samples []metrics.SampleContainer) int64 {
	start := time.Now()
	to.AddMetricSamples(samples)
	return time.Since(start).Nanoseconds()
}

func (t *timed) SetThresholds(thresholds map[string]metrics.Thresholds) {
	if tested, ok := t.Output.(output.WithThresholds); ok {
		tested.SetThresholds(thresholds)
	}
}

func (t *timed) SetBuiltinMetrics(builtin *metrics.BuiltinMetrics) {
	if tested, ok := t.Output.(output.WithBuiltinMetrics); ok {
		tested.SetBuiltinMetrics(builtin)
	}
}

func (t *timed) Stop() error { return t.StopWithTestError(nil) }

func (t *timed) StopWithTestError(testError error) error {
	result, err := json.Marshal(t.calls)
	if err == nil {
		err = os.WriteFile(t.path, result, 0o600)
	}
	if tested, ok := t.Output.(output.WithStopWithTestError); ok {
		return errors.Join(err, tested.StopWithTestError(testError))
	}
	return errors.Join(err, t.Output.Stop())
}

// empty is an output that does nothing.
type empty struct{}

func (empty) Description() string                        { return "nothing" }
func (empty) Start() error                               { return nil }
func (empty) AddMetricSamples([]metrics.SampleContainer) {}
func (empty) Stop() error                                { return nil }
