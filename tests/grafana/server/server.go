package main

import (
	"net/http"
	"strings"
	"sync"

	"github.com/grafana/grafana-openapi-client-go/models"
)

// server is all that is known. One request at a time.
type server struct {
	mu       sync.Mutex
	password string
	version  string
	migrates bool

	api         *http.ServeMux
	ids         int64
	folders     map[string]*models.Folder
	datasources map[string]*datasource
	dashboards  map[string]*dashboard
	accounts    map[int64]*models.ServiceAccountDTO
	tokens      map[string]string

	faults     []*fault
	requests   []request
	violations []string
}

// request is what a test may ask of one.
type request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Org    string `json:"org,omitempty"`
	// Who asks: nobody, basic or a token's name.
	Who string `json:"who"`
}

func newServer() *server {
	s := &server{
		api:         http.NewServeMux(),
		folders:     map[string]*models.Folder{},
		datasources: map[string]*datasource{},
		dashboards:  map[string]*dashboard{},
		accounts:    map[int64]*models.ServiceAccountDTO{},
		tokens:      map[string]string{},
	}
	s.routeFolders()
	s.routeDatasources()
	s.routeDashboards()
	s.routeAccounts()
	return s
}

func (s *server) nextID() int64 {
	s.ids++
	return s.ids
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_test/") {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.serveTest(w, r)
		return
	}
	if fault := s.faultFor(r); fault != nil {
		fault.serve(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who := s.whoAsks(r)
	s.requests = append(s.requests, request{r.Method, r.URL.RequestURI(), r.Header.Get("X-Grafana-Org-Id"), who})
	if r.URL.Path == "/api/health" {
		answer(w, http.StatusOK, models.HealthResponse{Database: "ok", Version: s.version, Commit: "none"})
		return
	}
	if who == "" {
		say(w, http.StatusUnauthorized, "Invalid username or password")
		return
	}
	if _, pattern := s.api.Handler(r); pattern == "" {
		s.violate("no such call: %s %s", r.Method, r.URL.Path)
		say(w, http.StatusNotFound, "Not found")
		return
	}
	s.api.ServeHTTP(w, r)
}

func (s *server) whoAsks(r *http.Request) string {
	if user, password, ok := r.BasicAuth(); ok && user == "admin" && s.password != "" && password == s.password {
		return "basic"
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return s.tokens[token]
	}
	return ""
}
