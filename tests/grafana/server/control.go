package main

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/grafana/grafana-openapi-client-go/models"
)

// fault is an answer in the place of ours.
type fault struct {
	Method string `json:"method"`
	// The beginning of the path; empty: every one.
	Path string `json:"path"`
	// So many requests come through before it.
	After int `json:"after"`
	// 0: no answer at all, until the other side gives up.
	Status   int    `json:"status"`
	Type     string `json:"type"`
	Body     string `json:"body"`
	Location string `json:"location"`
}

func (s *server) faultFor(r *http.Request) *fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fault := range s.faults {
		if (fault.Method != "" && fault.Method != r.Method) || !strings.HasPrefix(r.URL.Path, fault.Path) {
			continue
		}
		if fault.After > 0 {
			fault.After--
			continue
		}
		s.requests = append(s.requests, request{r.Method, r.URL.RequestURI(), "", "fault"})
		return fault
	}
	return nil
}

func (f *fault) serve(w http.ResponseWriter, r *http.Request) {
	if f.Status == 0 {
		<-r.Context().Done()
		return
	}
	if f.Location != "" {
		w.Header().Set("Location", f.Location)
	}
	w.Header().Set("Content-Type", f.Type)
	w.WriteHeader(f.Status)
	// A server may repeat what it was sent.
	_, _ = w.Write([]byte(strings.ReplaceAll(f.Body, "{authorization}", r.Header.Get("Authorization"))))
}

// seen is what a test may know.
type seen struct {
	Requests    []request                    `json:"requests"`
	Violations  []string                     `json:"violations"`
	Folders     map[string]*models.Folder    `json:"folders"`
	Datasources map[string]models.DataSource `json:"datasources"`
	Secrets     map[string]map[string]string `json:"secrets"`
	Dashboards  map[string]any               `json:"dashboards"`
	Accounts    []string                     `json:"accounts"`
}

// change puts what others have made.
type change struct {
	Faults     []*fault           `json:"faults"`
	Folder     *models.Folder     `json:"folder"`
	Datasource *models.DataSource `json:"datasource"`
	Dashboard  map[string]any     `json:"dashboard"`
	// Of the dashboard.
	InFolder    string `json:"in_folder"`
	Provisioned bool   `json:"provisioned"`
	// A token with its name.
	Token string `json:"token"`
}

func (s *server) serveTest(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		answer(w, http.StatusOK, s.look())
		return
	}
	var change change
	if err := json.NewDecoder(r.Body).Decode(&change); err != nil {
		say(w, http.StatusBadRequest, err.Error())
		return
	}
	s.faults = change.Faults
	if folder := change.Folder; folder != nil {
		s.folders[folder.UID] = folder
	}
	if shown := change.Datasource; shown != nil {
		s.datasources[shown.UID] = &datasource{shown: *shown, secret: map[string]string{}}
	}
	if content := change.Dashboard; content != nil {
		uid, _ := content["uid"].(string)
		s.dashboards[uid] = &dashboard{content: content, folder: change.InFolder, provisioned: change.Provisioned}
	}
	if change.Token != "" {
		s.tokens[change.Token] = "test"
	}
	s.requests = nil
	answer(w, http.StatusOK, nil)
}

func (s *server) look() seen {
	seen := seen{
		Requests: s.requests, Violations: s.violations, Folders: s.folders, Accounts: []string{},
		Datasources: map[string]models.DataSource{}, Secrets: map[string]map[string]string{}, Dashboards: map[string]any{},
	}
	for uid, datasource := range s.datasources {
		seen.Datasources[uid], seen.Secrets[uid] = datasource.shown, datasource.secret
	}
	for uid, dashboard := range s.dashboards {
		seen.Dashboards[uid] = dashboard.content
	}
	for _, account := range s.accounts {
		seen.Accounts = append(seen.Accounts, account.Name)
	}
	return seen
}
