package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/philippseith/signalr"
)

func FuzzParseEvent(f *testing.F) {
	for _, target := range []string{"PoolDeployedAsync", "PoolUndeployedAsync", "DeploymentSiteUndeployedAsync",
		"WorkloadDeployedAsync", "PreUpdateTenant", "BrandNewAsync", ""} {
		f.Add(target, `"acme"`, `"65d5c447b420da3fb12381bc"`)
		f.Add(target, `{"tenantId":"acme"}`, `null`)
	}
	f.Fuzz(func(t *testing.T, target, first, second string) {
		for _, arguments := range [][]json.RawMessage{nil, {[]byte(first)}, {[]byte(first), []byte(second)}} {
			for _, argument := range arguments {
				if !json.Valid(argument) {
					return // never comes so far
				}
			}
			event, err := ParseEvent(target, arguments)
			if err != nil {
				continue
			}
			if !slices.Contains(Callbacks, event.Callback) {
				t.Errorf("callback %q", event.Callback)
			}
			if !json.Valid(event.Argument) {
				t.Errorf("argument %q is no JSON", event.Argument)
			}
			wantSaid(t, event, arguments)
		}
	})
}

// wantSaid compares an event with the arguments of its callback: an object stays unchanged; of two strings, the first is the tenant and the second
// the pool.
func wantSaid(t *testing.T, event Event, arguments []json.RawMessage) {
	var said [2]string
	for i, argument := range arguments {
		if json.Unmarshal(argument, &said[i]) != nil || event.Callback != PoolUndeployed && event.Callback != PreUpdateTenant {
			if i == 0 && !bytes.Equal(event.Argument, argument) {
				t.Errorf("%s became %s", argument, event.Argument)
			}
			return
		}
	}
	pool, err := Decode[Pool](event.Argument)
	if id := pool.PoolName + pool.PoolRtID + pool.DeploymentSiteRtID; err != nil || pool.TenantID != said[0] || event.Callback == PoolUndeployed && id != said[1] {
		t.Errorf("%q became %s: %v", said, event.Argument, err)
	}
}

// FuzzDecodeKeepsValuesOutOfErrors plants a marker as every value of a document, whatever its shape.
func FuzzDecodeKeepsValuesOutOfErrors(f *testing.F) {
	for _, seed := range []string{
		`{"tenantId":"x","values":[{"path":"x","value":"x","isSecret":true}]}`, `{"values":{"value":"x"}}`, `["x"]`, `"x"`,
		`{"hibernated":"x","workloadType":"x"}`, `{"values":["x"]}`, `{"values":[[{"a":"x"}]]}`, `5`, `{"workloadType":1e400}`, `{`,
	} {
		f.Add(seed)
	}
	const marker = "m4rk3r"
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = Decode[WorkloadDeployed]([]byte(text)) // whatever it is: no panic
		var document any
		if json.Unmarshal([]byte(text), &document) != nil {
			return
		}
		planted, err := json.Marshal(plant(document, marker))
		if err != nil {
			return
		}
		_, err = Decode[WorkloadDeployed](planted)
		if err != nil && strings.Contains(err.Error(), marker) {
			t.Errorf("the error for %s holds the value: %v", planted, err)
		}
	})
}

func plant(value any, marker string) any {
	switch value := value.(type) {
	case map[string]any:
		for key := range value {
			value[key] = plant(value[key], marker)
		}
		return value
	case []any:
		for i := range value {
			value[i] = plant(value[i], marker)
		}
		return value
	case string:
		return marker
	}
	return value
}

// FuzzFrames cuts a stream of bytes into messages in different ways: the callbacks and the frames for the library must
// be those of the whole stream, in order.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("{\"type\":1,\"target\":\"A\",\"arguments\":[1]}\x1e{\"type\":6}\x1e{\"type\":3,\"invocationId\":\"1\"}\x1e"), uint8(7))
	f.Add([]byte("{}\x1e{\"type\":1,\"target\":\"A\",\"arguments\":[]}\x1e{\"type\":1,\"target\":\"B\"}\x1ehalf"), uint8(1))
	f.Add([]byte("\x1e\x1e"), uint8(2))
	f.Add([]byte("{\"type\":1,\"invocationId\":\"x\",\"target\":\"A\",\"arguments\":[]}\x1e"), uint8(3))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		callbacks, frames := takeAll(slices.Collect(slices.Chunk(stream, max(1, len(stream)))))
		cutCallbacks, cutFrames := takeAll(slices.Collect(slices.Chunk(stream, max(1, int(size)))))
		if !slices.Equal(callbacks, cutCallbacks) {
			t.Errorf("callbacks: cut %q, whole %q", cutCallbacks, callbacks)
		}
		if !slices.Equal(frames, cutFrames) {
			t.Errorf("frames: cut %q, whole %q", cutFrames, frames)
		}
		for _, frame := range frames {
			if strings.IndexByte(frame, frameEnd) != len(frame)-1 || !bytes.Contains(stream, []byte(frame)) {
				t.Errorf("%q is no frame of the stream", frame)
			}
		}
	})
}

// takeAll returns what a connection makes of messages: callbacks, and frames for the library (without the pings that stand for callbacks).
func takeAll(messages [][]byte) (callbacks, frames []string) {
	total := 1
	for _, message := range messages {
		total += 1 + bytes.Count(message, []byte{frameEnd})
	}
	c := newTestConnection(total, func(received []invocation) {
		for _, i := range received {
			callbacks = append(callbacks, fmt.Sprintf("%q %q", i.Target, i.Arguments))
		}
	})
	for some := range slices.Chunk(messages, 3) {
		c.process(some)
	}
	close(c.frames)
	for frame := range c.frames {
		if !bytes.Equal(frame, pingFrame) {
			frames = append(frames, string(frame))
		}
	}
	return callbacks, frames
}

// newTestConnection returns a connection without a websocket, with room for a number of frames for the library.
func newTestConnection(frames int, receive func([]invocation)) *connection {
	return &connection{
		ConnectionBase: signalr.NewConnectionBase(context.Background(), ""),
		log:            slog.New(slog.DiscardHandler),
		frames:         make(chan []byte, frames),
		receive:        receive,
	}
}
