package main

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"

	"github.com/grafana/grafana-openapi-client-go/models"
)

func (s *server) routeAccounts() {
	s.api.HandleFunc("GET /api/serviceaccounts/search", func(w http.ResponseWriter, r *http.Request) {
		found := models.SearchOrgServiceAccountsResult{ServiceAccounts: []*models.ServiceAccountDTO{}}
		for _, account := range s.accounts {
			if strings.Contains(account.Name, r.URL.Query().Get("query")) {
				found.ServiceAccounts = append(found.ServiceAccounts, account)
			}
		}
		found.TotalCount = int64(len(found.ServiceAccounts))
		answer(w, http.StatusOK, found)
	})
	s.api.HandleFunc("POST /api/serviceaccounts", func(w http.ResponseWriter, r *http.Request) {
		var form models.CreateServiceAccountForm
		if !s.decode(w, r, &form) {
			return
		}
		for _, account := range s.accounts {
			if account.Name == form.Name {
				say(w, http.StatusBadRequest, "service account already exists")
				return
			}
		}
		account := &models.ServiceAccountDTO{ID: s.nextID(), Name: form.Name, Role: form.Role, OrgID: 1}
		s.accounts[account.ID] = account
		answer(w, http.StatusCreated, account)
	})
	s.api.HandleFunc("GET /api/serviceaccounts/{id}", func(w http.ResponseWriter, r *http.Request) {
		if account := s.account(w, r); account != nil {
			answer(w, http.StatusOK, account)
		}
	})
	s.api.HandleFunc("DELETE /api/serviceaccounts/{id}", func(w http.ResponseWriter, r *http.Request) {
		if account := s.account(w, r); account != nil {
			delete(s.accounts, account.ID)
			for token, owner := range s.tokens {
				if owner == account.Name {
					delete(s.tokens, token)
				}
			}
			say(w, http.StatusOK, "Service account deleted")
		}
	})
	s.api.HandleFunc("POST /api/serviceaccounts/{id}/tokens", func(w http.ResponseWriter, r *http.Request) {
		var command models.AddServiceAccountTokenCommand
		account := s.account(w, r)
		if account == nil || !s.decode(w, r, &command) {
			return
		}
		key := "glsa_" + rand.Text()
		s.tokens[key] = account.Name
		account.Tokens++
		answer(w, http.StatusOK, models.NewAPIKeyResult{ID: s.nextID(), Name: command.Name, Key: key})
	})
}

func (s *server) account(w http.ResponseWriter, r *http.Request) *models.ServiceAccountDTO {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	account := s.accounts[id]
	if account == nil {
		say(w, http.StatusNotFound, "service account not found")
	}
	return account
}
