package lb

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.k6.io/k6/v2/metrics"

	"github.com/lb-log/xk6-lb/internal/batch"
)

// tagCache keeps what was made of each tag set. k6 makes one *TagSet per distinct combination and never changes it, so
// the pointer is the key; it also never frees one, so our own share of memory is bounded by two generations.
type tagCache struct {
	session    *session
	runTags    map[string]string
	young, old map[*metrics.TagSet]*tagEntry
	lastTags   *metrics.TagSet
	last       *tagEntry
	keys       []string
}

// cacheGeneration bounds a generation: an entry of an HTTP request is about 1 KiB.
const cacheGeneration = 1 << 14

func newTagCache(s *session, runTags map[string]string) *tagCache {
	return &tagCache{session: s, runTags: runTags, young: map[*metrics.TagSet]*tagEntry{}}
}

// tagEntry is what is known of one tag set.
type tagEntry struct {
	id                             *identity
	set                            *metrics.TagSet
	phase                          phase
	http, iteration, check, metric encodedTags

	httpSeries *httpSeries
	series     []metricSeries
}

// encodedTags are the tags of a set as one kind of record has them.
type encodedTags struct {
	ready   bool
	message string
	// head goes before our own tags, rest behind them.
	head, rest []byte
	// taken are the names in use, for metadata to stay clear of.
	taken names
}

func (c *tagCache) entry(set *metrics.TagSet) *tagEntry {
	if set == c.lastTags && c.last != nil {
		return c.last
	}
	found, ok := c.young[set]
	if !ok {
		found, ok = c.old[set]
		if !ok {
			found = c.make(set)
		}
		if len(c.young) >= cacheGeneration {
			c.young, c.old = map[*metrics.TagSet]*tagEntry{}, c.young
		}
		c.young[set] = found
	}
	c.lastTags, c.last = set, found
	return found
}

func (c *tagCache) make(set *metrics.TagSet) *tagEntry {
	tags := tagsOf(set)
	return &tagEntry{id: c.session.resolve(tags, c.runTags), set: set, phase: phaseOf(tags, c.runTags)}
}

// tagsOf makes a map; what is kept of a tag set are its encoded forms.
func tagsOf(set *metrics.TagSet) map[string]string {
	if set == nil {
		return nil
	}
	return set.Map()
}

// name is the request name that k6 or the script gave.
func (e *tagEntry) name() (string, bool) {
	if e.set == nil {
		return "", false
	}
	return e.set.Get("name")
}

// encode makes the tags for one kind of record, the first time they are needed. leading are names that go first.
func (c *tagCache) encode(e *tagEntry, out *encodedTags, ours names, leading []string) *encodedTags {
	if out.ready {
		return out
	}
	out.ready, out.taken = true, names{}
	tags := tagsOf(e.set)
	for _, name := range leading {
		value, ok := tags[name]
		if !ok {
			continue
		}
		out.taken[name] = struct{}{}
		if number, err := strconv.ParseInt(value, 10, 64); name == "status" && err == nil && strconv.FormatInt(number, 10) == value {
			out.head = batch.AppendInteger(out.head, name, number)
			continue
		}
		out.head = batch.AppendString(out.head, name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		if slices.Contains(leading, name) || e.saidByIdentity(name, tags[name]) {
			continue
		}
		final := ours.rename(name, tagPrefix)
		out.taken[final] = struct{}{}
		out.rest = batch.AppendString(out.rest, final, tags[name])
	}
	return out
}

// saidByIdentity tells that a reader finds this tag in a field of the record. The implicit scenario is told by the
// field's absence.
func (e *tagEntry) saidByIdentity(name, value string) bool {
	if !slices.Contains(identityTags[:], name) || e.id.invalid {
		return false
	}
	said := *e.id.field(name)
	return value == said || (name == "scenario" && value == implicitScenario && said == "")
}

func (c *tagCache) httpTags(e *tagEntry) *encodedTags {
	if !e.http.ready {
		e.http.message = httpMessage(tagsOf(e.set))
	}
	return c.encode(e, &e.http, httpNames, httpSystemNames[:])
}

func httpMessage(tags map[string]string) string {
	parts := make([]string, 0, 4)
	for _, name := range httpSystemNames {
		if tags[name] != "" {
			parts = append(parts, tags[name])
		}
	}
	if tags["error"] != "" {
		parts = append(parts, tags["error"])
	}
	if len(parts) == 0 {
		return "HTTP request"
	}
	return strings.Join(parts, " ")
}

func (c *tagCache) iterationTags(e *tagEntry) *encodedTags {
	return c.encode(e, &e.iteration, iterationNames, nil)
}

func (c *tagCache) checkTags(e *tagEntry) *encodedTags {
	return c.encode(e, &e.check, checkNames, checkLeading)
}

func (c *tagCache) metricTags(e *tagEntry) *encodedTags {
	return c.encode(e, &e.metric, metricNames, nil)
}

var checkLeading = []string{"check"}

// appendMetadata adds a sample's metadata entries, sorted, clear of our names and of the sample's tags.
func (c *tagCache) appendMetadata(w *batch.Writer, encoded *encodedTags, ours names, metadata map[string]string) {
	if len(metadata) == 0 {
		return
	}
	c.keys = c.keys[:0]
	clash := false
	for name := range metadata {
		c.keys = append(c.keys, name)
		_, taken := encoded.taken[name]
		clash = clash || taken || ours.rename(name, metadataPrefix) != name
	}
	slices.Sort(c.keys)
	if !clash {
		for _, name := range c.keys {
			w.String(name, metadata[name])
		}
		return
	}
	taken := maps.Clone(encoded.taken)
	for _, name := range c.keys {
		final := ours.rename(name, metadataPrefix)
		for _, used := taken[final]; used; _, used = taken[final] {
			final = metadataPrefix + final
		}
		taken[final] = struct{}{}
		w.String(final, metadata[name])
	}
}
