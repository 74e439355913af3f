package lb

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/lb-log/xk6-lb/internal/batch"
	"github.com/lb-log/xk6-lb/internal/core"
)

// identity says whose record it is: the fields that a sample's own tags may change.
type identity struct {
	identityKey
	// invalid: a tag asks for what cannot be (repetition "0"); the core rejects and counts such records.
	invalid  bool
	contexts [kindCount]uint32
	made     [kindCount]bool
}

// identityKey holds the repetition as text, as k6's tags do.
type identityKey struct {
	runID, workload, repetition, component, scenario string
}

// field is the value of one of identityTags.
func (k *identityKey) field(name string) *string {
	switch name {
	case "run_id":
		return &k.runID
	case "workload":
		return &k.workload
	case "repetition":
		return &k.repetition
	case "component":
		return &k.component
	default:
		return &k.scenario
	}
}

// session is an open logger with the contexts made in it. It belongs to the output's thread.
type session struct {
	logger     core.Logger
	instance   string
	base       *identity
	identities map[identityKey]*identity
	// notify reports what a user should know, once per key.
	notify func(key, text string)
	// unflushed is how many bytes the ring may hold that were pushed since the core last said it was empty.
	unflushed, ringBytes int
}

func newSession(logger core.Logger, s *settings, notify func(key, text string)) (*session, error) {
	base := &identity{identityKey: identityKey{
		runID: s.runID, workload: s.workload, repetition: strconv.FormatUint(s.repetition, 10),
		component: s.component, scenario: s.scenario,
	}}
	created := &session{
		logger: logger, instance: s.instance, base: base, notify: notify, ringBytes: s.ringBytes,
		identities: map[identityKey]*identity{base.identityKey: base},
	}
	// All at once, so that a later shortage of contexts can always fall back on these.
	for k := range kindCount {
		if _, err := created.makeContext(base, k); err != nil {
			return nil, err
		}
	}
	return created, nil
}

// context is the id under which records of this identity and kind are pushed.
func (s *session) context(id *identity, k kind) uint32 {
	if id.invalid {
		return core.ContextInvalid
	}
	if id.made[k] {
		return id.contexts[k]
	}
	// Only base has records of other kinds than samples, and its contexts were made at the beginning.
	return s.base.contexts[k]
}

func (s *session) makeContext(id *identity, k kind) (uint32, error) {
	fields := map[string]any{
		"logger": kinds[k].logger, "event_type": kinds[k].event, "tags": map[string]any{"instance": s.instance},
	}
	for _, name := range identityTags {
		value := *id.field(name)
		if value == *s.base.field(name) {
			continue
		}
		switch {
		case name == "repetition":
			number, _ := strconv.ParseUint(value, 10, 63)
			fields[name] = number
		case value == "":
			fields[name] = nil
		default:
			fields[name] = value
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return 0, err
	}
	context, err := s.logger.Context(text)
	if err != nil {
		return 0, err
	}
	id.contexts[k], id.made[k] = context, true
	return context, nil
}

// resolve finds the identity of a tag set: tags win where they differ from the run tags, whose place is below the
// configuration. k6's implicit scenario says nothing and changes nothing.
func (s *session) resolve(tags, runTags map[string]string) *identity {
	key, invalid := s.base.identityKey, false
	for _, name := range identityTags {
		value := tags[name]
		if value == "" || value == runTags[name] || (name == "scenario" && value == implicitScenario) {
			continue
		}
		if name == "repetition" {
			number, err := strconv.ParseUint(value, 10, 63)
			if err != nil || number == 0 {
				invalid = true
				s.notify("repetition", "a sample's tag repetition="+strconv.Quote(value)+
					" is not a whole number from 1 on: records with it are rejected and counted")
			}
			value = strconv.FormatUint(number, 10)
		}
		*key.field(name) = value
	}
	if known, ok := s.identities[key]; ok {
		return known
	}
	if invalid {
		return &identity{identityKey: key, invalid: true}
	}
	id := &identity{identityKey: key}
	for _, k := range sampleKinds {
		if _, err := s.makeContext(id, k); err != nil {
			// Too many, or too long: the record keeps the run's identity and has these as tags.
			s.notify("context", "a sample's own identity stays among its tags: "+err.Error())
			id = s.base
			break
		}
	}
	if len(s.identities) < maxIdentities {
		s.identities[key] = id
	}
	return id
}

// sampleKinds are the kinds whose records may have an identity of their own.
var sampleKinds = [...]kind{kindHTTP, kindIteration, kindCheck, kindMetric, kindSummary}

const (
	implicitScenario = "default"
	// maxIdentities keeps the map below the core's own limit of 65536 contexts.
	maxIdentities = 1 << 16
)

// push hands the batch over and empties it. Drops and rejections of records are in the core's counters.
func (s *session) push(w *batch.Writer) {
	if w.Len() == 0 {
		return
	}
	s.wait(w.Len())
	_, err := s.logger.Push(w.Bytes())
	s.unflushed += w.Len()
	w.Reset(keepBatchBytes)
	var refusal *core.Error
	if err != nil && !(errors.As(err, &refusal) && (refusal.Code == core.CodeDropped || refusal.Code == core.CodeRejected)) {
		s.notify("push", "records could not be handed to the logging core: "+err.Error())
	}
}

// wait lets the core's writer catch up when the next batch might not fit into the ring any more. Only our own thread
// waits here; k6 goes on filling the sample buffer.
func (s *session) wait(next int) {
	if s.unflushed == 0 || s.unflushed+next <= s.ringBytes/2 {
		return
	}
	// A failure shows in the core's counters as drops.
	_ = s.logger.Flush(catchUpTimeout)
	s.unflushed = 0
}

const (
	keepBatchBytes = 4 << 20
	catchUpTimeout = time.Second
)
