package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/grafana/grafana-openapi-client-go/models"
)

// dashboard is one with its history.
type dashboard struct {
	content     map[string]any
	folder      string
	provisioned bool
	versions    []*models.DashboardVersionMeta
}

func (s *server) routeDashboards() {
	s.api.HandleFunc("POST /api/dashboards/db", s.saveDashboard)
	s.api.HandleFunc("GET /api/dashboards/uid/{uid}", func(w http.ResponseWriter, r *http.Request) {
		if found := s.dashboard(w, r); found != nil {
			meta := &models.DashboardMeta{FolderUID: found.folder, Provisioned: found.provisioned}
			answer(w, http.StatusOK, models.DashboardFullWithMeta{Dashboard: found.content, Meta: meta})
		}
	})
	s.api.HandleFunc("GET /api/dashboards/uid/{uid}/versions", func(w http.ResponseWriter, r *http.Request) {
		if found := s.dashboard(w, r); found != nil {
			newest := slices.Clone(found.versions)
			slices.Reverse(newest)
			answer(w, http.StatusOK, models.DashboardVersionResponseMeta{Versions: newest})
		}
	})
	s.api.HandleFunc("DELETE /api/dashboards/uid/{uid}", func(w http.ResponseWriter, r *http.Request) {
		if found := s.dashboard(w, r); found != nil {
			delete(s.dashboards, r.PathValue("uid"))
			answer(w, http.StatusOK, map[string]any{"id": found.content["id"], "message": "Dashboard deleted", "title": found.content["title"]})
		}
	})
	s.api.HandleFunc("GET /api/search", s.search)
}

func (s *server) dashboard(w http.ResponseWriter, r *http.Request) *dashboard {
	found := s.dashboards[r.PathValue("uid")]
	if found == nil {
		say(w, http.StatusNotFound, "Dashboard not found")
	}
	return found
}

func (s *server) saveDashboard(w http.ResponseWriter, r *http.Request) {
	var command models.SaveDashboardCommand
	if !s.decode(w, r, &command) {
		return
	}
	content, _ := command.Dashboard.(map[string]any)
	uid, _ := content["uid"].(string)
	title, _ := content["title"].(string)
	if uid == "" || title == "" || content["id"] != nil {
		s.violate("a dashboard without uid or title, or with an id: %v", content)
		say(w, http.StatusBadRequest, "Dashboard title cannot be empty")
		return
	}
	if command.FolderUID != "" && s.folders[command.FolderUID] == nil {
		say(w, http.StatusBadRequest, "folder not found")
		return
	}
	found := s.dashboards[uid]
	switch {
	case found == nil:
		found = &dashboard{}
		s.dashboards[uid] = found
		content["id"] = s.nextID()
	case found.provisioned:
		say(w, http.StatusBadRequest, "Cannot save provisioned dashboard")
		return
	case !command.Overwrite:
		answer(w, http.StatusPreconditionFailed, map[string]string{"status": "version-mismatch", "message": "The dashboard has been changed by someone else"})
		return
	default:
		content["id"] = found.content["id"]
	}
	version := int64(len(found.versions) + 1)
	content["version"] = version
	if s.migrates {
		content["schemaVersion"] = 42
		content["preload"] = false
	}
	found.content, found.folder = content, command.FolderUID
	found.versions = append(found.versions, &models.DashboardVersionMeta{UID: uid, Version: version, Message: command.Message})
	id, status, url := s.ids, "success", "/d/"+uid
	answer(w, http.StatusOK, models.PostDashboardOKBody{FolderUID: command.FolderUID, ID: &id, Status: &status, Title: &title, UID: &uid, URL: &url, Version: &version})
}

func (s *server) search(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains([]string{"type", "limit", "tag", "folderUIDs", "query"}, name) {
			s.violate("a search by %q", name)
		}
	}
	hits := []*models.Hit{}
	for _, uid := range slices.Sorted(maps.Keys(s.dashboards)) {
		found := s.dashboards[uid]
		tags := found.tags()
		if tag := query.Get("tag"); tag != "" && !slices.Contains(tags, tag) {
			continue
		}
		if folder := query.Get("folderUIDs"); folder != "" && folder != found.folder {
			continue
		}
		title, _ := found.content["title"].(string)
		if !strings.Contains(strings.ToLower(title), strings.ToLower(query.Get("query"))) {
			continue
		}
		hits = append(hits, &models.Hit{UID: uid, Title: title, Type: "dash-db", Tags: tags, FolderUID: found.folder})
	}
	answer(w, http.StatusOK, hits)
}

func (d *dashboard) tags() []string {
	var tags []string
	text, _ := json.Marshal(d.content["tags"])
	_ = json.Unmarshal(text, &tags)
	return tags
}
