package batch

import (
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	var w Writer
	w.Begin(7, -5, LevelWarning, "hello \xff")
	w.String("text", "v\x00")
	w.Integer("i", -3)
	w.Unsigned("u", math.MaxUint64)
	w.Number("f", 0.1)
	w.NumberAfter(NumberHead("g"), math.Inf(-1))
	w.Boolean("yes", true)
	w.Boolean("no", false)
	w.Null("nothing")
	w.Raw(AppendNull(AppendBoolean(AppendInteger(AppendString(nil, "a", ""), "b", 1), "c", true), "d"))
	w.End()
	w.Begin(8, 0, LevelTrace, "")
	w.End()
	entries, err := Decode(w.Bytes())
	if err != nil || len(entries) != 2 || w.Count() != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	want := Entry{Context: 7, TimestampNs: -5, Level: LevelWarning, Message: "hello \xff", Tags: []Tag{
		{"text", "v\x00"}, {"i", int64(-3)}, {"u", uint64(math.MaxUint64)}, {"f", 0.1}, {"g", math.Inf(-1)}, {"yes", true},
		{"no", false}, {"nothing", nil}, {"a", ""}, {"b", int64(1)}, {"c", true}, {"d", nil},
	}}
	if !reflect.DeepEqual(entries[0], want) {
		t.Errorf("%+v", entries[0])
	}
	if !reflect.DeepEqual(entries[1], Entry{Context: 8, Level: LevelTrace}) {
		t.Errorf("%+v", entries[1])
	}
	w.Reset(1 << 20)
	if w.Len() != 0 || w.Count() != 0 {
		t.Error("not empty")
	}
}

// The bytes themselves, as ffi/include/lb_log.h has them: both sides must not be wrong in the same way.
func TestLayout(t *testing.T) {
	var w Writer
	w.Begin(0x01020304, 0x0102030405060708, 3, "m")
	w.String("k", "v")
	w.End()
	want := []byte{
		35, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 1, 0, 0, 0, 3, 0, 0, 0, 'm',
		TypeString, 1, 0, 0, 'k', 1, 0, 0, 0, 'v',
	}
	if !reflect.DeepEqual(w.Bytes(), want) {
		t.Errorf("%v\nwant %v", w.Bytes(), want)
	}
}

func TestOneHugeEntryDoesNotKeepItsMemory(t *testing.T) {
	var w Writer
	w.Begin(1, 1, LevelInfo, strings.Repeat("x", 10<<20))
	w.End()
	if _, err := Decode(w.Bytes()); err != nil {
		t.Fatal(err)
	}
	w.Reset(1 << 20)
	if cap(w.Bytes()) > 1<<20 {
		t.Errorf("%d bytes kept", cap(w.Bytes()))
	}
}

func TestDecodeRefusesWhatBreaksTheFormat(t *testing.T) {
	var w Writer
	w.Begin(1, 1, LevelInfo, "m")
	w.String("k", "v")
	w.End()
	good := w.Bytes()
	for name, spoil := range map[string]func(b []byte) []byte{
		"cut":            func(b []byte) []byte { return b[:len(b)-1] },
		"short header":   func(b []byte) []byte { return b[:10] },
		"size too small": func(b []byte) []byte { binary.LittleEndian.PutUint32(b, 3); return b },
		"long message":   func(b []byte) []byte { b[16] = 200; return b },
		"level":          func(b []byte) []byte { b[20] = 9; return b },
		"padding":        func(b []byte) []byte { b[22] = 1; return b },
		"tag type":       func(b []byte) []byte { b[25] = 99; return b },
		"tag key":        func(b []byte) []byte { b[26] = 99; return b },
		"tag value":      func(b []byte) []byte { b[30] = 99; return b },
		"tag twice": func(b []byte) []byte {
			b = append(b, b[25:]...)
			binary.LittleEndian.PutUint32(b, uint32(len(b)))
			return b
		},
	} {
		if _, err := Decode(spoil(append([]byte(nil), good...))); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
