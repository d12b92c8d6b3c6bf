package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"
)

// review is an AdmissionReview (admission.k8s.io/v1) with the fields that are needed.
type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

type request struct {
	UID       string `json:"uid"`
	Operation string `json:"operation"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Object    object `json:"object"`
	OldObject object `json:"oldObject"`
}

type object struct {
	Metadata struct {
		DeletionTimestamp json.RawMessage `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec json.RawMessage `json:"spec"`
}

type response struct {
	UID     string  `json:"uid"`
	Allowed bool    `json:"allowed"`
	Status  *status `json:"status,omitempty"`
}

type status struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

const reviewVersion, reviewKind = "admission.k8s.io/v1", "AdmissionReview"

func parseReview(text []byte) (*request, error) {
	var r review
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("cannot read the AdmissionReview: %w", err)
	}
	if r.APIVersion != reviewVersion || r.Kind != reviewKind {
		return nil, fmt.Errorf("cannot answer a %s of %s: only an AdmissionReview of %s, as admissionReviewVersions: [v1] asks for",
			cut(r.Kind), cut(r.APIVersion), reviewVersion)
	}
	if r.Request == nil || r.Request.UID == "" {
		return nil, errors.New("cannot answer the AdmissionReview: it has no request.uid")
	}
	return r.Request, nil
}

// decide answers a review by a rule; nil allows everything. A request that does not change the spec is always allowed: a resource with an
// invalid spec must still be deletable, and a user who changes its labels or finalizers is not responsible for the spec.
func decide(r *request, check func(spec) string) *response {
	allowed := &response{UID: r.UID, Allowed: true}
	switch {
	case check == nil:
		return allowed
	case r.Operation == "UPDATE":
		// The API server encodes equal specs equally. A deletionTimestamp counts only on an update: on a create the sender may have made
		// it up.
		if r.Object.deleted() || bytes.Equal(r.Object.Spec, r.OldObject.Spec) {
			return allowed
		}
	case r.Operation != "CREATE":
		return allowed
	}
	why := fmt.Sprintf("spec: %d bytes are more than a pool can have", len(r.Object.Spec))
	if len(r.Object.Spec) < largestSpec {
		why = check(parseSpec(r.Object.Spec))
	}
	if why != "" {
		return &response{UID: r.UID, Status: &status{Code: http.StatusBadRequest, Reason: "BadRequest", Message: why}}
	}
	return allowed
}

// largestSpec is in bytes. Parsing millions of tiny fields would take a hundred times the memory of the text.
const largestSpec = 64 << 10

func (o object) deleted() bool {
	return len(o.Metadata.DeletionTimestamp) > 0 && string(o.Metadata.DeletionTimestamp) != "null"
}

// Bounds for the size of reviews, in bytes. The API server accepts objects of 3 MiB from anybody (and etcd half of that), but a pool's
// resource has less than 10 KiB. Larger reviews wait for each other, so that nobody fills the memory by sending many at a time.
const (
	smallReview  = 64 << 10
	largestBody  = 6 << 20
	largeReviews = 2 // larger than smallReview, at a time
	largeWait    = 5 * time.Second
)

// reviews answers AdmissionReviews.
type reviews struct {
	log   *slog.Logger
	large chan struct{}
}

func newReviews(log *slog.Logger) *reviews {
	return &reviews{log: log, large: make(chan struct{}, largeReviews)}
}

// answer returns a handler that answers reviews by a rule; nil: everything is allowed.
func (v *reviews) answer(check func(spec) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			http.Error(w, "cannot read the AdmissionReview: its Content-Type is not application/json", http.StatusUnsupportedMediaType)
			return
		}
		text, done, err := v.read(w, r)
		defer done()
		if err != nil {
			v.refuse(w, err)
			return
		}
		asked, err := parseReview(text)
		if err != nil {
			v.refuse(w, err)
			return
		}
		answer := decide(asked, check)
		if !answer.Allowed {
			v.log.Debug("pool resource refused", "operation", asked.Operation, "namespace", cut(asked.Namespace), "name", cut(asked.Name),
				"reason", answer.Status.Message)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review{APIVersion: reviewVersion, Kind: reviewKind, Response: answer})
	}
}

var errBusy = errors.New("too many large AdmissionReviews at a time: try again")

// read returns the whole body. The caller must call done when it no longer needs it, also after an error.
func (v *reviews) read(w http.ResponseWriter, r *http.Request) (text []byte, done func(), err error) {
	done = func() {}
	body := http.MaxBytesReader(w, r.Body, largestBody)
	text, err = io.ReadAll(io.LimitReader(body, smallReview))
	if err == nil && len(text) == smallReview {
		select {
		case v.large <- struct{}{}:
			done = func() { <-v.large }
		case <-time.After(largeWait):
			return nil, done, errBusy
		case <-r.Context().Done():
			return nil, done, r.Context().Err()
		}
		var rest []byte
		rest, err = io.ReadAll(body)
		text = append(text, rest...)
	}
	if err != nil {
		err = fmt.Errorf("cannot read the AdmissionReview: %w", err)
	}
	return text, done, err
}

func (v *reviews) refuse(w http.ResponseWriter, err error) {
	code := http.StatusBadRequest
	if errors.As(err, new(*http.MaxBytesError)) {
		code = http.StatusRequestEntityTooLarge
	} else if errors.Is(err, errBusy) {
		code = http.StatusServiceUnavailable
	}
	v.log.Debug("AdmissionReview not answered", "reason", err)
	http.Error(w, err.Error(), code)
}
