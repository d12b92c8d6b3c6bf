package journal

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"octo-operator/bounds"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

const (
	group     = "octo-mesh.meshmakers.io"
	label     = group + "/journal" // label: hash of the controller's address
	laneKey   = group + "/lane"    // annotation: the lane's name
	laneLabel = group + "/lane-id" // label: the name of the lane's own Secret
	// waitingLabel marks a Secret with an event that was handed over; it is not the lane's own Secret.
	waitingLabel = group + "/waiting"
	fromKey      = group + "/from" // annotation on it: the identity of the operator that has handed it over

	reportSuffix = ".report"
	notesSuffix  = ".begun"
	// maxSecret is the 1 MiB that Kubernetes allows for a Secret, less a margin for the notes, which secretOf does not count.
	maxSecret = 1<<20 - 16<<10
	// maxEvent bounds the size of an unpacked event: the argument that the hub accepts, and the callback's name.
	maxEvent = bounds.Event + 1<<20
)

// secret is a Kubernetes Secret with the unfinished events of a lane. Its keys are {run id} with the event (gzip), {run id}.report with a
// report, and, for a run that was restored, {run id}.begun with its notes.
type secret struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Type       string            `json:"type"`
	Metadata   metadata          `json:"metadata"`
	Data       map[string][]byte `json:"data,omitempty"`
}

type metadata struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
}

// secretOf returns the Secret of a lane with all entries that fit into it; in are the runs of these. l.writing is held.
func (j *Journal) secretOf(l *lane, entries []entry) (s secret, in []*runs.Run) {
	s = secret{
		APIVersion: "v1", Kind: "Secret", Type: label, Data: map[string][]byte{},
		Metadata: metadata{
			Name: l.secret, Namespace: l.Namespace, ResourceVersion: l.version,
			Labels:      map[string]string{label: shortHash(j.o.Controller), laneLabel: l.secret, group + "/managed-by": "communication-operator"},
			Annotations: map[string]string{laneKey: l.Name},
		},
	}
	size := 0
	for _, e := range entries {
		key, content, err := e.copy(j.o.Key)
		if errors.Is(err, errEnded) {
			continue // Finished will be called in a moment
		}
		if err == nil && size+len(content) > maxSecret {
			err = errors.New("it is larger than a Secret may be")
		}
		if err != nil {
			j.log.Warn("event is kept on disk alone", "lane", l.Name, "run", e.run.ID, "reason", err, "next", "it runs all the same, but is lost with this disk")
			continue
		}
		size += len(content)
		s.Data[key] = content
		in = append(in, e.run)
		if notes := e.run.CrashNotes(); e.run.FromOtherDisk() && !e.finished && len(notes) > 0 {
			s.Data[key+notesSuffix] = notes
		}
	}
	return s, in
}

// copy returns the key and the content of a run in the Secret: only what is needed to finish it.
func (e entry) copy(key string) (name string, content []byte, err error) {
	if e.finished {
		return e.run.ID + reportSuffix, e.report, nil
	}
	event, err := e.run.Event()
	if err != nil {
		return "", nil, err
	}
	// The result is written before the event's secrets are removed: if there is no result, the event that was read has them all.
	if _, err := e.run.Result(); !errors.Is(err, fs.ErrNotExist) {
		return "", nil, errEnded
	}
	if event, err = sealed(event, key); err != nil {
		return "", nil, err
	}
	packed, err := pack(event)
	return e.run.ID, packed, err
}

// errEnded means that a run has ended: its event has no secrets any more, and must not be carried out again.
var errEnded = errors.New("the run has ended")

// packers are reused: a new one takes 1.2 MB and half a millisecond, and in a burst of events each is packed several times.
var packers = sync.Pool{New: func() any {
	zip, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails only for an invalid level
	return zip
}}

func pack(event hub.Event) ([]byte, error) {
	var packed bytes.Buffer
	zip := packers.Get().(*gzip.Writer)
	defer packers.Put(zip)
	zip.Reset(&packed)
	err := errors.Join(json.NewEncoder(zip).Encode(event), zip.Close())
	return packed.Bytes(), err
}

// content reads one key of the Secret. It returns either the event of a run that is to be carried out, or the report that the controller
// does not have yet; report is nil only for an event.
func (s secret) content(name, key string) (id string, event hub.Event, report []byte, err error) {
	if id, ok := strings.CutSuffix(name, reportSuffix); ok {
		return id, event, append([]byte{}, s.Data[name]...), nil
	}
	unzip, err := gzip.NewReader(bytes.NewReader(s.Data[name]))
	if err == nil {
		err = json.NewDecoder(io.LimitReader(unzip, maxEvent)).Decode(&event)
	}
	if err != nil {
		return "", hub.Event{}, nil, fmt.Errorf("cannot unpack it: %w", err)
	}
	return name, unsealed(event, key), nil, nil
}
