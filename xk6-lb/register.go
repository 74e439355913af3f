// Package lb is the k6 output `lb-loki`: k6's samples and k6's logs, in one schema, in one local file.
package lb

import (
	"go.k6.io/k6/v2/output"

	"github.com/lb-log/xk6-lb/internal/core"
)

// Name is what follows --out.
const Name = "lb-loki"

func init() {
	output.RegisterExtension(Name, func(params output.Params) (output.Output, error) {
		return New(params, core.OpenCounted)
	})
}
