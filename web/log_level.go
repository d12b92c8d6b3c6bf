package web

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The reference operator's levels, in the order of their numbers.
var (
	levelNames = []string{"Trace", "Debug", "Info", "Warn", "Error", "Fatal", "Off"}
	levels     = []slog.Level{slog.LevelDebug - 4, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, slog.LevelError + 4, math.MaxInt}
)

// changeLogLevel accepts the reference operator's query: minLogLevel, maxLogLevel, loggerName. Only minLogLevel has an effect, because
// this operator has one log, and never hides an error while it shows a warning.
func changeLogLevel(level *slog.LevelVar, log *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := foldKeys(r.URL.Query())
		least, err := parseLevel("minLogLevel", query)
		if err == nil {
			var most int
			if most, err = parseLevel("maxLogLevel", query); err == nil && most < least {
				err = fmt.Errorf("maxLogLevel: %s is below minLogLevel, %s", levelNames[most], levelNames[least])
			}
		}
		if name := query["loggername"]; err == nil && name != "" && name != "*" {
			err = fmt.Errorf("loggerName: %q: this operator has one log: leave it out", cut(name))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		from, to := level.Level(), levels[least]
		level.Set(min(from, to)) // so that the change itself is logged
		log.Warn("the log level changes", "to", levelNames[least], "asked_from", r.RemoteAddr, "next", "it lasts until it is changed again, or until the operator ends")
		level.Set(to)
		w.WriteHeader(http.StatusNoContent)
	}
}

// foldKeys returns a query with its names in lower case. Names are case-insensitive, as in ASP.NET Core.
func foldKeys(query url.Values) map[string]string {
	folded := make(map[string]string, len(query))
	for name, values := range query {
		folded[strings.ToLower(name)] = values[0]
	}
	return folded
}

// parseLevel reads the name or the number of a level and returns its number.
func parseLevel(name string, query map[string]string) (int, error) {
	value := query[strings.ToLower(name)]
	number := slices.IndexFunc(levelNames, func(level string) bool { return strings.EqualFold(level, value) })
	if n, err := strconv.ParseUint(value, 10, 8); err == nil && int(n) < len(levelNames) {
		number = int(n)
	}
	if number < 0 {
		return 0, fmt.Errorf("%s: %q is none of %s, or their numbers 0 to %d", name, cut(value), strings.Join(levelNames, ", "), len(levelNames)-1)
	}
	return number, nil
}

// fromLoopback allows only requests from within the pod (kubectl exec, kubectl port-forward), for which the cluster's roles decide: the
// operator itself cannot tell who asks. It refuses requests that come through a proxy in the pod, or from a browser that a web page has
// sent here.
func fromLoopback(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := wantLoopback(r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

// wantLoopback returns an error for a request that does not come from inside (FromInside), or that a browser has made.
func wantLoopback(r *http.Request) error {
	if err := FromInside(r); err != nil {
		return err
	}
	return without(r, "Origin", "Sec-Fetch-Site")
}
