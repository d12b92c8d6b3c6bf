package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Server is what an API server says of itself.
type Server struct {
	Version string    // such as v1.37.2
	Date    time.Time // its clock when it answered, to the second; zero: it does not say
}

// longestVersion is in bytes: a version has some hundred.
const longestVersion = 64 << 10

// Server asks the API server for its version and its time. The error is that of Do.
func (k *Client) Server(ctx context.Context) (Server, error) {
	answer, err := k.send(ctx, request{method: http.MethodGet, path: "/version"})
	if err != nil {
		return Server{}, err
	}
	defer answer.Body.Close()
	var said struct{ GitVersion string }
	text, err := io.ReadAll(io.LimitReader(answer.Body, longestVersion))
	if err != nil {
		return Server{}, k.Failed(ctx, err)
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return Server{}, fmt.Errorf("cannot read the API server's version: %w", err)
	}
	date, _ := http.ParseTime(answer.Header.Get("Date")) // zero if there is none
	return Server{Version: said.GitVersion, Date: date}, nil
}
