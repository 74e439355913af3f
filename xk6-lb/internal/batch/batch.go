// Package batch writes the binary form in which records cross into the core: entries back to back, little-endian,
// unaligned, as ffi/include/lb_log.h describes at lb_logger_push_batch.
//
// Nothing here allocates once the buffer has its size: a flush reuses one Writer.
package batch

import (
	"encoding/binary"
	"math"
)

// Types of tags, the numbers of the C ABI.
const (
	TypeString   = 1
	TypeInteger  = 2
	TypeUnsigned = 3
	TypeNumber   = 4
	TypeBoolean  = 5
	TypeNull     = 6
)

// Levels, the numbers of the C ABI.
const (
	LevelTrace    uint8 = 1
	LevelDebug    uint8 = 2
	LevelInfo     uint8 = 3
	LevelWarning  uint8 = 4
	LevelError    uint8 = 5
	LevelCritical uint8 = 6
)

const (
	// headerSize is the fixed part of an entry: size, context, timestamp, message length, level and padding.
	headerSize = 4 + 4 + 8 + 4 + 4
	// maxKeyBytes is what the 24 bits of a tag's head can count.
	maxKeyBytes = 1<<24 - 1
	// maxTextBytes bounds a single text, so that an entry's 32-bit size cannot overflow whatever a script does.
	maxTextBytes = 1 << 28
)

// Writer collects entries. Begin, any number of tags, End; then again.
type Writer struct {
	buf   []byte
	start int
	count int
}

// Bytes are the entries written since the last Reset; valid until the next call.
func (w *Writer) Bytes() []byte { return w.buf }

// Len is the number of bytes written since the last Reset.
func (w *Writer) Len() int { return len(w.buf) }

// Count is the number of entries written since the last Reset.
func (w *Writer) Count() int { return w.count }

// Reset empties the writer and keeps its buffer, unless one huge entry has blown it up beyond keepBytes.
func (w *Writer) Reset(keepBytes int) {
	if cap(w.buf) > keepBytes {
		w.buf = make([]byte, 0, keepBytes)
	}
	w.buf, w.count = w.buf[:0], 0
}

// Begin opens an entry. timestampNs 0 means now.
func (w *Writer) Begin(context uint32, timestampNs int64, level uint8, message string) {
	if len(message) > maxTextBytes {
		message = message[:maxTextBytes]
	}
	w.start = len(w.buf)
	b := append(w.buf, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, context)
	b = binary.LittleEndian.AppendUint64(b, uint64(timestampNs))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(message)))
	b = append(b, level, 0, 0, 0)
	w.buf = append(b, message...)
}

// End closes the entry that Begin opened.
func (w *Writer) End() {
	binary.LittleEndian.PutUint32(w.buf[w.start:], uint32(len(w.buf)-w.start))
	w.count++
}

// Raw adds tags that were encoded before, by the Append functions.
func (w *Writer) Raw(tags []byte) { w.buf = append(w.buf, tags...) }

// String adds a text tag.
func (w *Writer) String(key, value string) { w.buf = AppendString(w.buf, key, value) }

// Integer adds a signed integer tag.
func (w *Writer) Integer(key string, value int64) {
	w.buf = binary.LittleEndian.AppendUint64(appendHead(w.buf, TypeInteger, key), uint64(value))
}

// Unsigned adds an unsigned integer tag.
func (w *Writer) Unsigned(key string, value uint64) {
	w.buf = binary.LittleEndian.AppendUint64(appendHead(w.buf, TypeUnsigned, key), value)
}

// Number adds a floating-point tag; the core writes NaN and infinities as null and counts them.
func (w *Writer) Number(key string, value float64) {
	w.buf = binary.LittleEndian.AppendUint64(appendHead(w.buf, TypeNumber, key), math.Float64bits(value))
}

// NumberAfter adds a floating-point tag whose head and key were encoded before, by NumberHead.
func (w *Writer) NumberAfter(head string, value float64) {
	w.buf = binary.LittleEndian.AppendUint64(append(w.buf, head...), math.Float64bits(value))
}

// Boolean adds a boolean tag.
func (w *Writer) Boolean(key string, value bool) {
	w.buf = AppendBoolean(w.buf, key, value)
}

// Null adds a tag that is null.
func (w *Writer) Null(key string) { w.buf = appendHead(w.buf, TypeNull, key) }

// NumberHead is the constant part of a number tag, for NumberAfter.
func NumberHead(key string) string { return string(appendHead(nil, TypeNumber, key)) }

// AppendString appends an encoded text tag to dst.
func AppendString(dst []byte, key, value string) []byte {
	if len(value) > maxTextBytes {
		value = value[:maxTextBytes]
	}
	dst = appendHead(dst, TypeString, key)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}

// AppendInteger appends an encoded signed integer tag to dst.
func AppendInteger(dst []byte, key string, value int64) []byte {
	return binary.LittleEndian.AppendUint64(appendHead(dst, TypeInteger, key), uint64(value))
}

// AppendBoolean appends an encoded boolean tag to dst.
func AppendBoolean(dst []byte, key string, value bool) []byte {
	bit := byte(0)
	if value {
		bit = 1
	}
	return append(appendHead(dst, TypeBoolean, key), bit)
}

// AppendNull appends an encoded null tag to dst.
func AppendNull(dst []byte, key string) []byte { return appendHead(dst, TypeNull, key) }

func appendHead(dst []byte, kind uint32, key string) []byte {
	if len(key) > maxKeyBytes {
		key = key[:maxKeyBytes]
	}
	dst = binary.LittleEndian.AppendUint32(dst, kind|uint32(len(key))<<8)
	return append(dst, key...)
}
