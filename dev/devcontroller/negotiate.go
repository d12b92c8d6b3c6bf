package devcontroller

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

const hubPath = "/operatorHub"

// offer is a negotiated connection that nobody has opened yet.
type offer struct {
	connectionID string
	made         time.Time
}

// offerLifetime is ASP.NET's DisconnectTimeout: a token that is not used by then is forgotten.
const offerLifetime = 15 * time.Second

// ServeHTTP serves the hub: POST /operatorHub/negotiate and the websocket on /operatorHub.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, "/")
	negotiate := strings.EqualFold(path, hubPath+"/negotiate")
	if !negotiate && !strings.EqualFold(path, hubPath) {
		http.NotFound(w, r)
		return
	}
	if !s.authorized(r, !negotiate) {
		s.change(func() { s.refused++ })
		s.options.Logf("%s %s refused: no valid bearer token", r.Method, r.URL.Path)
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if negotiate {
		s.negotiate(w, r)
		return
	}
	s.upgrade(w, r)
}

// authorized looks for the bearer token; a websocket may bring it in the query, because a
// browser cannot set headers there.
func (s *Server) authorized(r *http.Request, queryToo bool) bool {
	s.mu.Lock()
	authorize := s.authorize
	s.mu.Unlock()
	if authorize == nil {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	if token == "" && queryToo {
		token = r.URL.Query().Get("access_token")
	}
	return authorize(token)
}

func (s *Server) negotiate(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	type transport struct {
		Transport       string   `json:"transport"`
		TransferFormats []string `json:"transferFormats"`
	}
	answer := struct {
		NegotiateVersion    int         `json:"negotiateVersion"`
		ConnectionID        string      `json:"connectionId"`
		ConnectionToken     string      `json:"connectionToken,omitempty"`
		AvailableTransports []transport `json:"availableTransports"`
	}{
		ConnectionID:        rand.Text(),
		AvailableTransports: []transport{{"WebSockets", []string{"Text", "Binary"}}},
	}
	// Version 0 has one id for both purposes; from version 1 on the id is public, the token is not.
	id := answer.ConnectionID
	if r.URL.Query().Get("negotiateVersion") >= "1" {
		answer.NegotiateVersion, answer.ConnectionToken = 1, rand.Text()
		id = answer.ConnectionToken
	}
	s.makeOffer(id, answer.ConnectionID)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *Server) makeOffer(id, connectionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, offer := range s.offered {
		if time.Since(offer.made) > offerLifetime {
			delete(s.offered, id)
		}
	}
	s.offered[id] = offer{connectionID: connectionID, made: time.Now()}
}

// takeOffer turns the id of a websocket request into a connection id. Without an id the client
// skipped negotiation, which ASP.NET accepts for websockets.
func (s *Server) takeOffer(id string) (connectionID string, ok bool) {
	if id == "" {
		return rand.Text(), true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	offer, ok := s.offered[id]
	delete(s.offered, id)
	return offer.connectionID, ok && time.Since(offer.made) <= offerLifetime
}

func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(w, "Connection ID required", http.StatusBadRequest)
		return
	}
	id := r.URL.Query().Get("id")
	connectionID, ok := s.takeOffer(id)
	if !ok {
		http.Error(w, "No Connection with that ID", http.StatusNotFound)
		return
	}
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		s.options.Logf("cannot upgrade to a websocket: %v", err) // Accept has answered already
		return
	}
	// The limit of ASP.NET counts hub messages, not websocket messages: see frameReader.
	socket.SetReadLimit(-1)
	c := s.newConnection(connectionID, socket, id != "", r.Header.Get("Authorization"))
	if c == nil {
		_ = socket.CloseNow()
		return
	}
	c.run()
}
