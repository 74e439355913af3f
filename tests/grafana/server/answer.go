package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/go-openapi/runtime"
	"github.com/go-openapi/strfmt"
)

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func say(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"message": message})
}

// violate notes what a real Grafana might let pass, and we must never do.
func (s *server) violate(format string, arguments ...any) {
	s.violations = append(s.violations, fmt.Sprintf(format, arguments...))
}

// decode reads a body into one of Grafana's models: all of it, no field that the model does not know, and valid.
func (s *server) decode(w http.ResponseWriter, r *http.Request, model runtime.Validatable) bool {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(model)
	if err == nil {
		err = model.Validate(strfmt.Default)
	}
	if err == nil {
		if _, more := decoder.Token(); more != io.EOF {
			err = fmt.Errorf("something follows the body")
		}
	}
	if kind := r.Header.Get("Content-Type"); err == nil && kind != "application/json" {
		err = fmt.Errorf("the content type is %q", kind)
	}
	if err != nil {
		s.violate("%s %s: %v", r.Method, r.URL.Path, err)
		say(w, http.StatusBadRequest, "bad request data: "+err.Error())
		return false
	}
	return true
}
