package main

import (
	"net/http"

	"github.com/grafana/grafana-openapi-client-go/models"
)

func (s *server) routeFolders() {
	s.api.HandleFunc("POST /api/folders", func(w http.ResponseWriter, r *http.Request) {
		var command models.CreateFolderCommand
		if !s.decode(w, r, &command) {
			return
		}
		if s.folders[command.UID] != nil {
			say(w, http.StatusPreconditionFailed, "The folder has been changed by someone else")
			return
		}
		folder := &models.Folder{ID: s.nextID(), UID: command.UID, Title: command.Title, Version: 1}
		s.folders[command.UID] = folder
		answer(w, http.StatusOK, folder)
	})
	s.api.HandleFunc("GET /api/folders/{uid}", func(w http.ResponseWriter, r *http.Request) {
		if folder := s.folder(w, r); folder != nil {
			answer(w, http.StatusOK, folder)
		}
	})
	s.api.HandleFunc("PUT /api/folders/{uid}", func(w http.ResponseWriter, r *http.Request) {
		var command models.UpdateFolderCommand
		folder := s.folder(w, r)
		if folder == nil || !s.decode(w, r, &command) {
			return
		}
		if !command.Overwrite && command.Version != folder.Version {
			say(w, http.StatusPreconditionFailed, "The folder has been changed by someone else")
			return
		}
		folder.Title = command.Title
		folder.Version++
		answer(w, http.StatusOK, folder)
	})
	s.api.HandleFunc("GET /api/folders/{uid}/counts", func(w http.ResponseWriter, r *http.Request) {
		if folder := s.folder(w, r); folder != nil {
			answer(w, http.StatusOK, map[string]int{"alertrule": 0, "dashboard": s.inFolder(folder.UID), "folder": 0, "librarypanel": 0})
		}
	})
	// With all that is in it, as Grafana does it.
	s.api.HandleFunc("DELETE /api/folders/{uid}", func(w http.ResponseWriter, r *http.Request) {
		if folder := s.folder(w, r); folder != nil {
			for uid, dashboard := range s.dashboards {
				if dashboard.folder == folder.UID {
					delete(s.dashboards, uid)
				}
			}
			delete(s.folders, folder.UID)
			say(w, http.StatusOK, "Folder deleted")
		}
	})
}

func (s *server) folder(w http.ResponseWriter, r *http.Request) *models.Folder {
	folder := s.folders[r.PathValue("uid")]
	if folder == nil {
		say(w, http.StatusNotFound, "folder not found")
	}
	return folder
}

func (s *server) inFolder(uid string) int {
	count := 0
	for _, dashboard := range s.dashboards {
		if dashboard.folder == uid {
			count++
		}
	}
	return count
}
