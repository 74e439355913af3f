package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Tag is a decoded tag; Value is a string, int64, uint64, float64, bool or nil.
type Tag struct {
	Key   string
	Value any
}

// Entry is a decoded entry of a batch.
type Entry struct {
	Context     uint32
	TimestampNs int64
	Level       uint8
	Message     string
	Tags        []Tag
}

var errShort = errors.New("the entry ends inside a tag")

// Decode reads a whole batch and insists on every rule of the format; it is what the tests look through.
func Decode(data []byte) ([]Entry, error) {
	var entries []Entry
	for offset := 0; offset < len(data); {
		if len(data)-offset < headerSize {
			return entries, fmt.Errorf("%d bytes left, fewer than a header", len(data)-offset)
		}
		size := int(binary.LittleEndian.Uint32(data[offset:]))
		if size < headerSize || size > len(data)-offset {
			return entries, fmt.Errorf("size %d at byte %d cannot be followed", size, offset)
		}
		entry, err := decodeEntry(data[offset : offset+size])
		if err != nil {
			return entries, fmt.Errorf("entry at byte %d: %w", offset, err)
		}
		entries = append(entries, entry)
		offset += size
	}
	return entries, nil
}

func decodeEntry(data []byte) (Entry, error) {
	entry := Entry{
		Context:     binary.LittleEndian.Uint32(data[4:]),
		TimestampNs: int64(binary.LittleEndian.Uint64(data[8:])),
		Level:       data[20],
	}
	if entry.Level < LevelTrace || entry.Level > LevelCritical {
		return entry, fmt.Errorf("level %d", entry.Level)
	}
	if data[21]|data[22]|data[23] != 0 {
		return entry, errors.New("the padding is not zero")
	}
	length := int(binary.LittleEndian.Uint32(data[16:]))
	rest := data[headerSize:]
	if length > len(rest) {
		return entry, errors.New("the message is longer than the entry")
	}
	entry.Message, rest = string(rest[:length]), rest[length:]
	seen := map[string]bool{}
	for len(rest) > 0 {
		tag, after, err := decodeTag(rest)
		if err != nil {
			return entry, err
		}
		if seen[tag.Key] {
			return entry, fmt.Errorf("tag %q twice", tag.Key)
		}
		seen[tag.Key], rest = true, after
		entry.Tags = append(entry.Tags, tag)
	}
	return entry, nil
}

func decodeTag(data []byte) (Tag, []byte, error) {
	if len(data) < 4 {
		return Tag{}, nil, errShort
	}
	head := binary.LittleEndian.Uint32(data)
	kind, length, rest := head&0xFF, int(head>>8), data[4:]
	if length > len(rest) {
		return Tag{}, nil, errShort
	}
	tag, rest := Tag{Key: string(rest[:length])}, rest[length:]
	width := map[uint32]int{TypeString: 4, TypeInteger: 8, TypeUnsigned: 8, TypeNumber: 8, TypeBoolean: 1, TypeNull: 0}
	need, known := width[kind]
	if !known {
		return tag, nil, fmt.Errorf("tag %q has type %d", tag.Key, kind)
	}
	if need > len(rest) {
		return tag, nil, errShort
	}
	switch kind {
	case TypeString:
		size := int(binary.LittleEndian.Uint32(rest))
		if size > len(rest)-4 {
			return tag, nil, errShort
		}
		tag.Value, need = string(rest[4:4+size]), 4+size
	case TypeInteger:
		tag.Value = int64(binary.LittleEndian.Uint64(rest))
	case TypeUnsigned:
		tag.Value = binary.LittleEndian.Uint64(rest)
	case TypeNumber:
		tag.Value = math.Float64frombits(binary.LittleEndian.Uint64(rest))
	case TypeBoolean:
		if rest[0] > 1 {
			return tag, nil, fmt.Errorf("tag %q is the boolean %d", tag.Key, rest[0])
		}
		tag.Value = rest[0] == 1
	}
	return tag, rest[need:], nil
}
