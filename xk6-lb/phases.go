package lb

import (
	"strings"
	"time"

	"github.com/lb-log/xk6-lb/internal/batch"
)

// k6 tells an output nothing of setup, run and teardown, but their samples do: those of setup and teardown have no
// scenario and the group ::setup or ::teardown, and all others that have a scenario are of the run. A phase therefore
// begins where its earliest sample began and ends with its last.

type phase uint8

const (
	phaseNone phase = iota
	phaseSetup
	phaseRun
	phaseTeardown
	phaseCount
)

var phaseNames = [phaseCount]string{"", "setup", "run", "teardown"}

func phaseOf(tags, runTags map[string]string) phase {
	if scenario := tags["scenario"]; scenario != "" && scenario != runTags["scenario"] {
		return phaseRun
	}
	switch group := tags["group"]; {
	case group == "::setup" || strings.HasPrefix(group, "::setup::"):
		return phaseSetup
	case group == "::teardown" || strings.HasPrefix(group, "::teardown::"):
		return phaseTeardown
	case tags["scenario"] != "":
		return phaseRun
	}
	return phaseNone
}

// span is what was seen of a phase; times in nanoseconds since 1970.
type span struct {
	seen, announced, closed bool
	start, end              int64
}

type phases struct {
	spans [phaseCount]span
}

func (p *phases) see(which phase, start, end int64) {
	s := &p.spans[which]
	if !s.seen {
		*s = span{seen: true, start: start, end: end}
		return
	}
	s.start, s.end = min(s.start, start), max(s.end, end)
}

// announce writes the start of phases that showed up in this flush, and the end of those that a later one has ended.
func (p *phases) announce(s *session, w *batch.Writer) {
	for which := phaseSetup; which < phaseCount; which++ {
		each := &p.spans[which]
		if !each.seen || each.announced {
			continue
		}
		if which != phaseSetup {
			// Setup has ended for good; the run's last samples may still be on their way when teardown's come.
			p.close(s, w, phaseSetup, outcomePassed)
		}
		each.announced = true
		w.Begin(s.context(s.base, kindPhaseStart), each.start, batch.LevelInfo, phaseNames[which]+" started")
		w.String("phase", phaseNames[which])
		w.End()
	}
}

const (
	outcomePassed  = "passed"
	outcomeFailed  = "failed"
	outcomeAborted = "aborted"
)

// stop ends what is open; broken says how the phase ended in which the test broke off.
func (p *phases) stop(s *session, w *batch.Writer, outcome string, inScriptPart bool) {
	broken := phaseRun
	if inScriptPart || !p.spans[phaseRun].seen {
		for which := phaseSetup; which < phaseCount; which++ {
			if p.spans[which].seen {
				broken = which
			}
		}
	}
	for which := phaseSetup; which < phaseCount; which++ {
		if which == broken {
			p.close(s, w, which, outcome)
		} else {
			p.close(s, w, which, outcomePassed)
		}
	}
}

func (p *phases) close(s *session, w *batch.Writer, which phase, outcome string) {
	each := &p.spans[which]
	if !each.seen || each.closed {
		return
	}
	each.closed = true
	level := batch.LevelInfo
	if outcome != outcomePassed {
		level = batch.LevelWarning
	}
	w.Begin(s.context(s.base, kindPhaseEnd), each.end, level, phaseNames[which]+" "+outcome)
	w.String("phase", phaseNames[which])
	w.Number("duration_ms", float64(each.end-each.start)/float64(time.Millisecond))
	w.String("outcome", outcome)
	w.End()
}
