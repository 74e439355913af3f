package main

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/grafana/grafana-openapi-client-go/models"
)

// datasource is one as it is shown, and its secrets, which never are.
type datasource struct {
	shown  models.DataSource
	secret map[string]string
}

func (s *server) routeDatasources() {
	s.api.HandleFunc("GET /api/datasources", func(w http.ResponseWriter, _ *http.Request) {
		all := []models.DataSource{}
		for _, uid := range slices.Sorted(maps.Keys(s.datasources)) {
			all = append(all, s.datasources[uid].shown)
		}
		answer(w, http.StatusOK, all)
	})
	s.api.HandleFunc("POST /api/datasources", s.addDatasource)
	s.api.HandleFunc("PUT /api/datasources/uid/{uid}", s.updateDatasource)
	s.api.HandleFunc("GET /api/datasources/uid/{uid}", func(w http.ResponseWriter, r *http.Request) {
		if found := s.datasource(w, r); found != nil {
			answer(w, http.StatusOK, found.shown)
		}
	})
	s.api.HandleFunc("DELETE /api/datasources/uid/{uid}", func(w http.ResponseWriter, r *http.Request) {
		if found := s.datasource(w, r); found != nil {
			delete(s.datasources, found.shown.UID)
			answer(w, http.StatusOK, map[string]any{"id": found.shown.ID, "message": "Data source deleted"})
		}
	})
	s.api.HandleFunc("GET /api/datasources/uid/{uid}/health", func(w http.ResponseWriter, r *http.Request) {
		if found := s.datasource(w, r); found != nil {
			// The datasource may be this server itself.
			url := found.shown.URL
			s.mu.Unlock()
			defer s.mu.Lock()
			checkHealth(w, url)
		}
	})
}

func (s *server) datasource(w http.ResponseWriter, r *http.Request) *datasource {
	found := s.datasources[r.PathValue("uid")]
	if found == nil {
		say(w, http.StatusNotFound, "Data source not found")
	}
	return found
}

func (s *server) nameIsTaken(name, uid string) bool {
	for _, other := range s.datasources {
		if other.shown.Name == name && other.shown.UID != uid {
			return true
		}
	}
	return false
}

func (s *server) addDatasource(w http.ResponseWriter, r *http.Request) {
	var command models.AddDataSourceCommand
	if !s.decode(w, r, &command) {
		return
	}
	if command.UID == "" || command.Name == "" || command.Type == "" || command.Access == "" {
		s.violate("a datasource without uid, name, type or access: %+v", command)
	}
	if s.datasources[command.UID] != nil {
		say(w, http.StatusConflict, "data source with the same uid already exists")
		return
	}
	if s.nameIsTaken(command.Name, command.UID) {
		say(w, http.StatusConflict, "data source with the same name already exists")
		return
	}
	made := &datasource{secret: map[string]string{}}
	made.shown = models.DataSource{ID: s.nextID(), OrgID: 1, UID: command.UID}
	made.update(models.UpdateDataSourceCommand{
		Access: command.Access, BasicAuth: command.BasicAuth, BasicAuthUser: command.BasicAuthUser, Database: command.Database,
		IsDefault: command.IsDefault, JSONData: command.JSONData, Name: command.Name, SecureJSONData: command.SecureJSONData,
		Type: command.Type, URL: command.URL, User: command.User, WithCredentials: command.WithCredentials,
	})
	s.datasources[command.UID] = made
	answer(w, http.StatusOK, made.body("Datasource added"))
}

func (s *server) updateDatasource(w http.ResponseWriter, r *http.Request) {
	var command models.UpdateDataSourceCommand
	found := s.datasource(w, r)
	if found == nil || !s.decode(w, r, &command) {
		return
	}
	if found.shown.ReadOnly {
		say(w, http.StatusForbidden, "Cannot update read-only data source")
		return
	}
	if s.nameIsTaken(command.Name, found.shown.UID) {
		say(w, http.StatusConflict, "data source with the same name already exists")
		return
	}
	if command.Version != 0 && command.Version != found.shown.Version {
		say(w, http.StatusConflict, "Datasource has already been updated by someone else. Please reload and try again")
		return
	}
	found.update(command)
	answer(w, http.StatusOK, found.body("Datasource updated"))
}

// update takes everything but secrets as it is given; those that are not given stay.
func (d *datasource) update(command models.UpdateDataSourceCommand) {
	maps.Copy(d.secret, command.SecureJSONData)
	fields := map[string]bool{}
	for name := range d.secret {
		fields[name] = true
	}
	d.shown = models.DataSource{
		ID: d.shown.ID, OrgID: d.shown.OrgID, UID: d.shown.UID, ReadOnly: d.shown.ReadOnly, Version: d.shown.Version + 1,
		Access: command.Access, BasicAuth: command.BasicAuth, BasicAuthUser: command.BasicAuthUser, Database: command.Database,
		IsDefault: command.IsDefault, JSONData: command.JSONData, Name: command.Name, SecureJSONFields: fields,
		Type: command.Type, URL: command.URL, User: command.User, WithCredentials: command.WithCredentials,
	}
}

func (d *datasource) body(message string) models.AddDataSourceOKBody {
	return models.AddDataSourceOKBody{Datasource: &d.shown, ID: &d.shown.ID, Message: &message, Name: &d.shown.Name}
}

// checkHealth is well when anything answers where the datasource is.
func checkHealth(w http.ResponseWriter, url string) {
	client := http.Client{Timeout: 2 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"status": "ERROR", "message": "Unable to connect. " + err.Error()})
		return
	}
	_ = response.Body.Close()
	answer(w, http.StatusOK, map[string]string{"status": "OK", "message": "Data source successfully connected."})
}
