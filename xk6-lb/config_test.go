package lb

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/output"
)

func TestParseArgument(t *testing.T) {
	for _, c := range []struct {
		argument string
		want     map[string]any
		mistake  string
	}{
		{"", map[string]any{}, ""},
		{"samples=raw", map[string]any{"samples": "raw"}, ""},
		{"samples=raw,vu_iter=true,", map[string]any{"samples": "raw", "vu_iter": "true"}, ""},
		{"metrics_allow=checks,http_req*,samples=raw", map[string]any{"metrics_allow": "checks,http_req*", "samples": "raw"}, ""},
		{"http://loki:3100/?a=b", map[string]any{"loki.endpoint": "http://loki:3100/?a=b", "loki.enabled": "true"}, ""},
		{"https://loki, samples=none", map[string]any{"loki.endpoint": "https://loki", "loki.enabled": "true", "samples": "none"}, ""},
		{"http://l,loki.enabled=false", map[string]any{"loki.endpoint": "http://l", "loki.enabled": "false"}, ""},
		{"loki.endpoint=http://l", map[string]any{"loki.endpoint": "http://l"}, ""},
		{"http://l,https://m", nil, "twice"},
		{"workload=a=b", map[string]any{"workload": "a=b"}, ""},
		{"raw", nil, "neither key=value nor a URL"},
		{"=x", nil, "no key"},
		{"samples=raw,samples=none", nil, "twice"},
	} {
		got, err := parseArgument(c.argument)
		if c.mistake != "" {
			if err == nil || !strings.Contains(err.Error(), c.mistake) {
				t.Errorf("%q: %v", c.argument, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %v, %v", c.argument, got, err)
		}
	}
}

func TestRequestHasTheLayersInOrder(t *testing.T) {
	req, err := newRequest(output.Params{
		ConfigArgument: "samples=raw,config=a.toml",
		JSONConfig:     json.RawMessage(`{"samples":"none","loki":{"endpoint":"http://l"}}`),
		Environment:    map[string]string{"K6_LB_SAMPLES": "summary", "K6_LB_CONFIG": "b.toml", "K6_VUS": "1", "LB_RUN_ID": "x"},
		ScriptOptions:  lib.Options{RunTags: map[string]string{"run_id": "r", "workload": "", "host": "h", "team": "t"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var ranks []string
	for _, l := range req.Layers {
		ranks = append(ranks, l.Rank)
	}
	if want := []string{"default", "default", "file", "argument", "argument"}; !reflect.DeepEqual(ranks, want) {
		t.Fatalf("%v", ranks)
	}
	if got := req.Layers[1].Values; !reflect.DeepEqual(got, map[string]any{"run_id": "r"}) {
		t.Errorf("of run tags only the identity counts: %v", got)
	}
	if got := req.Layers[3]; got.EnvPrefix != "K6_LB_" || got.Source != "K6_LB_SAMPLES" || !reflect.DeepEqual(got.Values, map[string]any{"K6_LB_SAMPLES": "summary"}) {
		t.Errorf("%+v", got)
	}
	if got := req.Layers[4].Values; !reflect.DeepEqual(got, map[string]any{"samples": "raw"}) {
		t.Errorf("%v", got)
	}
	if req.ConfigPath != "a.toml" {
		t.Errorf("the argument's file wins: %q", req.ConfigPath)
	}
	text, err := req.encode(map[string]any{"run_id": "again"})
	if err != nil || !strings.Contains(string(text), `"run_id":"again"`) || !strings.Contains(string(text), `"config":"a.toml"`) {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := newRequest(output.Params{JSONConfig: json.RawMessage(`[1]`)}); err == nil {
		t.Error("collectors must be an object")
	}
}

func TestSettings(t *testing.T) {
	config := `{"path":"p","values":{
		"run_id":{"value":"r","source":"s"},"repetition":{"value":3,"source":"s"},"scenario":{"value":null,"source":"default"},
		"k6.samples":{"value":"raw","source":"s"},"k6.metrics_allow":{"value":["a*","b"],"source":"s"},
		"k6.metrics_deny":{"value":"c, d,","source":"s"},"k6.flush_interval":{"value":0,"source":"s"},
		"k6.summary_interval":{"value":2500,"source":"s"},"k6.vu_iter":{"value":true,"source":"s"}},"warnings":["w"]}`
	s, err := newSettings([]byte(config), map[string]string{"instance_id": "9"})
	if err != nil {
		t.Fatal(err)
	}
	if s.runID != "r" || s.repetition != 3 || s.mode != modeRaw || !s.vuIter || s.instance != "9" ||
		s.summaryInterval.Milliseconds() != 2500 || s.flushInterval <= 0 || s.bufferSamples != 1_000_000 {
		t.Errorf("%+v", s)
	}
	if !reflect.DeepEqual(s.allow, []string{"a*", "b"}) || !reflect.DeepEqual(s.deny, []string{"c", "d"}) {
		t.Errorf("%v %v", s.allow, s.deny)
	}
	for _, bad := range []string{`no`, `{"values":{"k6.samples":{"value":"all"}}}`, `{"values":{"repetition":{"value":"x"}}}`} {
		if _, err := newSettings([]byte(bad), nil); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
