//go:build cgo

package core

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lb-log/xk6-lb/internal/batch"
)

func open(t *testing.T, more map[string]any) Logger {
	t.Helper()
	config := map[string]any{"output_dir": t.TempDir(), "run_id": "r", "component": "k6", "host": "h", "ring_dir": "memory"}
	for key, value := range more {
		config[key] = value
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	logger, err := Open(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = logger.Close(time.Second)
		logger.Free()
	})
	return logger
}

func TestThroughTheBoundary(t *testing.T) {
	logger := open(t, nil)
	var config struct{ Path string }
	if err := json.Unmarshal(logger.Config(), &config); err != nil || !strings.HasSuffix(config.Path, "k6-h.jsonl") {
		t.Fatalf("%s, %v", logger.Config(), err)
	}
	context, err := logger.Context([]byte(`{"logger":"l","event_type":"e","tags":{"instance":"7"}}`))
	if err != nil || context == 0 {
		t.Fatal(context, err)
	}
	var w batch.Writer
	w.Begin(context, 1234567890123456789, batch.LevelWarning, "hello \xff")
	w.String("s", "v")
	w.Integer("i", -1)
	w.Number("f", 0.5)
	w.Boolean("b", true)
	w.Null("n")
	w.End()
	w.Begin(ContextInvalid, 0, batch.LevelInfo, "never")
	w.End()
	result, err := logger.Push(w.Bytes())
	var refusal *Error
	if result != (Result{Accepted: 1, Rejected: 1}) || !errors.As(err, &refusal) || refusal.Code != CodeRejected {
		t.Fatalf("%+v, %v", result, err)
	}
	if err := logger.Flush(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	stats, err := logger.Stats()
	if err != nil || stats.Offered != 2 || stats.Written != 1 || stats.Rejected != 1 || stats.Queued != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
	line, err := os.ReadFile(config.Path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"timestamp":"2009-02-13T23:31:30.123456789Z","level":"WARNING","component":"k6","host":"h","run_id":"r","logger":"l",` +
		`"message":"hello ` + "\ufffd" + `","event_type":"e","workload":"none","repetition":1,` +
		`"tags":{"instance":"7","s":"v","i":-1,"f":0.5,"b":true,"n":null}}` + "\n"
	if string(line) != want {
		t.Errorf("%s\nwant %s", line, want)
	}
	if err := logger.Close(time.Second); err != nil {
		t.Error(err)
	}
	if _, err := logger.Push(w.Bytes()); !errors.As(err, &refusal) || refusal.Code != CodeClosed {
		t.Errorf("a push after close: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		config string
		code   Code
		says   string
	}{
		{`{"nonsense":1}`, CodeConfig, "nonsense"},
		{`{"repetition":0}`, CodeConfig, "repetition"},
		{`{"output_dir":"/dev/null/x"}`, CodeIO, "/dev/null"},
		{`no json`, CodeConfig, "JSON"},
	} {
		logger, err := Open([]byte(c.config))
		var refusal *Error
		if logger != nil || !errors.As(err, &refusal) || refusal.Code != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.config, err)
		}
	}
	logger := open(t, nil)
	if _, err := logger.Context([]byte(`{"repetition":0}`)); err == nil {
		t.Error("repetition 0")
	}
	var refusal *Error
	if _, err := logger.Push([]byte{1, 2, 3}); !errors.As(err, &refusal) || refusal.Code != CodeArgument {
		t.Errorf("%v", err)
	}
}

func TestAFlushAllocatesNothingAtTheBoundary(t *testing.T) {
	logger := open(t, map[string]any{"output_dir": filepath.Join(t.TempDir(), "x")})
	var w batch.Writer
	w.Begin(0, 0, batch.LevelInfo, "message")
	w.End()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := logger.Push(w.Bytes()); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWhatWasHandedOverIsCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "handed")
	t.Setenv(HandedFile, path)
	for round := 1; round < 3; round++ {
		config := `{"output_dir":"` + t.TempDir() + `","run_id":"r","component":"k6","host":"h","ring_dir":"memory"}`
		logger, err := OpenCounted([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		var w batch.Writer
		for range 3 {
			w.Begin(0, 0, batch.LevelInfo, "one")
			w.End()
		}
		w.Begin(ContextInvalid, 0, batch.LevelInfo, "never")
		w.End()
		if _, err := logger.Push(w.Bytes()); err == nil {
			t.Error("a rejection was not told")
		}
		if err := logger.Close(time.Second); err != nil {
			t.Error(err)
		}
		logger.Free()
		number, err := os.ReadFile(path)
		if err != nil || len(number) != 8 || number[0] != byte(3*round) {
			t.Errorf("%v, %v", number, err)
		}
	}
}
