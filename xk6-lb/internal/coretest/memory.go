// Package coretest is a core in memory for tests: it merges configuration layers without judging them, decodes every
// batch with all rules of the format, and shows what a reader of the file would see.
package coretest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/lb-log/xk6-lb/internal/batch"
	"github.com/lb-log/xk6-lb/internal/core"
)

// Record is a line of the file.
type Record struct {
	TimestampNs int64
	Level       uint8
	Message     string
	Fields      map[string]any
	Tags        map[string]any
	TagOrder    []string
}

// Event is the record's event_type.
func (r *Record) Event() string { text, _ := r.Fields["event_type"].(string); return text }

// Core is a file and those who open it, one after the other.
type Core struct {
	mu       sync.Mutex
	records  []Record
	rejected uint64
	opened   []map[string]any
	open     int
	// Values override what the layers say; OpenError refuses to open; PushError is answered to every batch, CloseError to
	// each first Close of a logger.
	Values     map[string]any
	OpenError  error
	PushError  error
	CloseError error
	// Pushes counts batches, Discard keeps none of their records.
	Pushes  int
	Discard bool
	// Loki is what the statistics say of it.
	Loki core.Delivery
	// BeforePush runs before a batch is taken, to play a slow disk.
	BeforePush func()
}

var _ core.Opener = (&Core{}).Open

// Open is an Opener.
func (c *Core) Open(config []byte) (core.Logger, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.OpenError != nil {
		return nil, c.OpenError
	}
	var request map[string]any
	if err := json.Unmarshal(config, &request); err != nil {
		return nil, err
	}
	if c.open > 0 {
		return nil, errors.New("opened while open: only one logger at a time is expected")
	}
	c.opened = append(c.opened, request)
	c.open++
	return &logger{core: c, values: c.merge(request)}, nil
}

// merge knows the ranks, but neither keys nor units.
func (c *Core) merge(request map[string]any) map[string]any {
	values := map[string]any{"run_id": "run-20260101-000000", "workload": "none", "repetition": 1, "component": "app", "host": "h"}
	layers, _ := request["layers"].([]any)
	for _, rank := range []string{"default", "file", "argument"} {
		for _, each := range layers {
			if layer, _ := each.(map[string]any); layer["rank"] == rank {
				given, _ := layer["values"].(map[string]any)
				maps.Copy(values, given)
			}
		}
	}
	for key, value := range request {
		if key != "layers" && key != "config" {
			values[key] = value
		}
	}
	if text, ok := values["repetition"].(string); ok {
		var number int
		if _, err := fmt.Sscan(text, &number); err == nil {
			values["repetition"] = number
		}
	}
	maps.Copy(values, c.Values)
	return values
}

// Opened are the requests so far.
func (c *Core) Opened() []map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]map[string]any(nil), c.opened...)
}

// Records are the accepted records so far.
func (c *Core) Records() []Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Record(nil), c.records...)
}

// Rejected is how many records were refused.
func (c *Core) Rejected() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rejected
}

type logger struct {
	core     *Core
	values   map[string]any
	contexts []map[string]any
	byText   map[string]uint32
	stats    core.Stats
	closed   bool
}

func (l *logger) Config() []byte {
	values := map[string]any{}
	for key, value := range l.values {
		values[key] = map[string]any{"value": value, "source": "test"}
	}
	text, err := json.Marshal(map[string]any{"path": "logs/k6-h.jsonl", "values": values, "warnings": []string{}})
	if err != nil {
		panic(err)
	}
	return text
}

func (l *logger) Context(fields []byte) (uint32, error) {
	if id, ok := l.byText[string(fields)]; ok {
		return id, nil
	}
	merged := map[string]any{}
	for _, name := range []string{"run_id", "workload", "repetition", "component", "host", "scenario"} {
		if value, ok := l.values[name]; ok {
			merged[name] = value
		}
	}
	given := map[string]any{}
	if err := json.Unmarshal(fields, &given); err != nil {
		return 0, err
	}
	maps.Copy(merged, given)
	for name, value := range given {
		if text, ok := value.(string); ok && len(text) > 1024 {
			return 0, &core.Error{Code: core.CodeRejected, Message: name + ": too long"}
		}
		if value == nil {
			delete(merged, name)
		}
	}
	l.contexts = append(l.contexts, merged)
	id := uint32(len(l.contexts))
	if l.byText == nil {
		l.byText = map[string]uint32{}
	}
	l.byText[string(fields)] = id
	return id, nil
}

func (l *logger) Push(data []byte) (core.Result, error) {
	if l.core.BeforePush != nil {
		l.core.BeforePush()
	}
	l.core.mu.Lock()
	defer l.core.mu.Unlock()
	if l.closed {
		return core.Result{}, &core.Error{Code: core.CodeClosed}
	}
	l.core.Pushes++
	if l.core.PushError != nil {
		return core.Result{}, l.core.PushError
	}
	if l.core.Discard {
		return core.Result{}, nil
	}
	entries, err := batch.Decode(data)
	if err != nil {
		panic(fmt.Sprintf("malformed batch: %v", err))
	}
	var result core.Result
	for _, entry := range entries {
		l.stats.Offered++
		if entry.Context == core.ContextInvalid {
			l.stats.Rejected++
			l.core.rejected++
			result.Rejected++
			continue
		}
		if entry.Context == 0 || int(entry.Context) > len(l.contexts) {
			panic(fmt.Sprintf("context %d was never made", entry.Context))
		}
		l.stats.Written++
		result.Accepted++
		l.core.records = append(l.core.records, l.record(entry))
	}
	if result.Rejected > 0 {
		return result, &core.Error{Code: core.CodeRejected}
	}
	return result, nil
}

func (l *logger) record(entry batch.Entry) Record {
	fields := maps.Clone(l.contexts[entry.Context-1])
	tags := map[string]any{}
	bound, _ := fields["tags"].(map[string]any)
	maps.Copy(tags, bound)
	delete(fields, "tags")
	record := Record{TimestampNs: entry.TimestampNs, Level: entry.Level, Message: entry.Message, Fields: fields, Tags: tags}
	for _, tag := range entry.Tags {
		if _, twice := tags[tag.Key]; twice {
			panic(fmt.Sprintf("tag %q is the context's already", tag.Key))
		}
		tags[tag.Key] = tag.Value
		record.TagOrder = append(record.TagOrder, tag.Key)
	}
	return record
}

func (l *logger) Flush(time.Duration) error { return nil }

func (l *logger) Stats() (core.Stats, error) {
	l.core.mu.Lock()
	defer l.core.mu.Unlock()
	stats := l.stats
	stats.Loki = l.core.Loki
	return stats, nil
}

func (l *logger) Close(time.Duration) error {
	l.core.mu.Lock()
	defer l.core.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.core.open--
		return l.core.CloseError
	}
	return nil
}

func (l *logger) Free() {}
