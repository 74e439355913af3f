package lb

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lb-log/xk6-lb/internal/batch"
)

// logField is a logrus field, its value already a string, int64, uint64, float64, bool or nil: the entry that it came
// from belongs to another goroutine.
type logField struct {
	key   string
	value any
}

// logLine is a copy of a log entry.
type logLine struct {
	timeNs    int64
	level     uint8
	kind      kind
	message   string
	exception string
	fields    []logField
}

// newLogLine copies an entry. k6 marks what a script prints with source=console and what it throws with
// source=stacktrace; these marks become the record's event_type.
func newLogLine(entry *logrus.Entry) logLine {
	line := logLine{timeNs: entry.Time.UnixNano(), level: levelOf(entry.Level), kind: kindLog, message: entry.Message}
	fields := entry.Data
	switch fields["source"] {
	case "console":
		line.kind = kindConsole
	case "stacktrace":
		line.kind = kindException
		// The message is the whole traceback, as k6 logs it; its first line is what to count and group by.
		line.exception, _, _ = strings.Cut(entry.Message, "\n")
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if key == "source" && line.kind != kindLog {
			continue
		}
		line.fields = append(line.fields, logField{logNames.rename(key, tagPrefix), flatten(fields[key])})
	}
	return line
}

func levelOf(level logrus.Level) uint8 {
	switch level {
	case logrus.PanicLevel, logrus.FatalLevel:
		return batch.LevelCritical
	case logrus.ErrorLevel:
		return batch.LevelError
	case logrus.WarnLevel:
		return batch.LevelWarning
	case logrus.DebugLevel:
		return batch.LevelDebug
	case logrus.TraceLevel:
		return batch.LevelTrace
	default:
		return batch.LevelInfo
	}
}

// flatten turns any field into what a tag can be. Foreign methods are called, so a panic of theirs is caught: a log
// line must not end the test.
func flatten(value any) (flat any) {
	defer func() {
		if recover() != nil {
			flat = fmt.Sprintf("%T", value)
		}
	}()
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		return v
	case bool:
		return v
	case error:
		return v.Error()
	case fmt.Stringer:
		return v.String()
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Uint()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	}
	if text, err := json.Marshal(value); err == nil {
		return string(text)
	}
	return fmt.Sprint(value)
}

// write makes the record.
func (l *logLine) write(s *session, w *batch.Writer) {
	w.Begin(s.context(s.base, l.kind), l.timeNs, l.level, l.message)
	for _, field := range l.fields {
		switch v := field.value.(type) {
		case string:
			w.String(field.key, v)
		case bool:
			w.Boolean(field.key, v)
		case int64:
			w.Integer(field.key, v)
		case uint64:
			w.Unsigned(field.key, v)
		case float64:
			w.Number(field.key, v)
		default:
			w.Null(field.key)
		}
	}
	if l.exception != "" {
		w.String("exception", l.exception)
	}
	w.End()
}

// size is about what the line holds of memory.
func (l *logLine) size() int { return len(l.message) + len(l.exception) + 64*(1+len(l.fields)) }

// logBuffer keeps lines while the test runs; logging happens in the virtual users' goroutines and must not wait there.
type logBuffer struct {
	mu      sync.Mutex
	lines   []logLine
	spare   []logLine
	bytes   int
	open    bool
	dropped uint64
}

// logBufferBytes bounds the lines of one flush interval.
const logBufferBytes = 64 << 20

// add keeps the line; false means that nobody collects them now and the caller has to write it through.
func (b *logBuffer) add(line logLine) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return false
	}
	if b.bytes+line.size() > logBufferBytes && len(b.lines) > 0 {
		b.dropped++
		return true
	}
	b.bytes += line.size()
	b.lines = append(b.lines, line)
	return true
}

// take empties the buffer, and with shut closes it in the same moment, so that no line falls between.
func (b *logBuffer) take(shut bool) []logLine {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.lines
	b.lines, b.spare, b.bytes = b.spare[:0], nil, 0
	if shut {
		b.open = false
	}
	return taken
}

func (b *logBuffer) giveBack(taken []logLine) {
	clear(taken)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spare = taken[:0]
}

func (b *logBuffer) setOpen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = true
}

// lose counts a line that could not be written through.
func (b *logBuffer) lose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped++
}

func (b *logBuffer) lost() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// logHook is what k6's logger calls. It never fails: logrus would print that on stderr for each line.
type logHook struct{ output *Output }

var _ logrus.Hook = logHook{}

// Levels says that every level is wanted; k6's own --verbose decides what exists.
func (logHook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire copies the entry.
func (h logHook) Fire(entry *logrus.Entry) error {
	line := newLogLine(entry)
	if !h.output.lines.add(line) {
		h.output.writeThrough(line)
	} else if lastWords(entry) {
		h.output.flushNow(lastWordsTimeout)
	}
	return nil
}

// lastWords are lines behind which k6 exits at once, without stopping its outputs: a fatal error, a second Ctrl-C.
func lastWords(entry *logrus.Entry) bool {
	_, signal := entry.Data["sig"]
	return entry.Level <= logrus.FatalLevel || (signal && entry.Level <= logrus.ErrorLevel)
}

const lastWordsTimeout = 2 * time.Second
