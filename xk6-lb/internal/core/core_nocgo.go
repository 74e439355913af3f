//go:build !cgo

package core

// Available tells whether this program has the core in it.
const Available = false

var _ Opener = Open

// Version is the version of the core.
func Version() string { return "none" }

// Open says what to do: the core is a static C library, which a build without cgo leaves out.
func Open([]byte) (Logger, error) {
	return nil, &Error{Code: CodeUnavailable, Message: "this k6 was built without cgo, so it has no logging core: " +
		"build it anew with CGO_ENABLED=1 and a C compiler (CGO_ENABLED=1 xk6 build --with github.com/lb-log/xk6-lb=./xk6-lb), " +
		"after `make build` has made build/lib/liblb_log.a; cross-compiling switches cgo off unless CGO_ENABLED=1 is given"}
}
