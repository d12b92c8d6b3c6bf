package hub

import (
	"bytes"
	"testing"
	"testing/synctest"
)

func TestReadingAheadStopsAtItsBound(t *testing.T) {
	half := bytes.Repeat([]byte("x"), maxReadAhead/2)
	for _, test := range []struct {
		name  string
		there [][]byte
		next  []byte
		waits bool
	}{
		{"room is left", [][]byte{half}, half, false},
		{"full", [][]byte{half, half}, []byte("x"), true},
		{"an empty message", [][]byte{half, half}, nil, false},
		{"larger than all of it, and alone", nil, bytes.Repeat(half, 3), false},
		{"larger than all of it, and not alone", [][]byte{[]byte("x")}, bytes.Repeat(half, 3), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, done := newReadAhead(), false
				for _, message := range test.there {
					q.put(message)
				}
				go func() {
					q.put(test.next)
					done = true
					q.end()
				}()
				synctest.Wait()
				if done == test.waits {
					t.Errorf("put has returned: %v", done)
				}
				got := 0
				for messages := q.take(); messages != nil; messages = q.take() {
					got += len(messages)
				}
				if got != len(test.there)+1 {
					t.Errorf("%d messages, want %d", got, len(test.there)+1)
				}
			})
		})
	}
}

func TestWhoeverTakesGetsAllThatHasCome(t *testing.T) {
	q := newReadAhead()
	for _, message := range []string{"a", "b", "c"} {
		q.put([]byte(message))
	}
	if got := bytes.Join(q.take(), nil); string(got) != "abc" {
		t.Errorf("got %q", got)
	}
}

func TestCallbacksThatComeTogetherAreReceivedTogetherAndInTheirPlace(t *testing.T) {
	frame := func(target string) string { return `{"type":1,"target":"` + target + `","arguments":[]}` + "\x1e" }
	var order []string
	c := newTestConnection(10, func(received []invocation) {
		targets := ""
		for _, i := range received {
			targets += i.Target
		}
		order = append(order, targets)
	})
	c.process([][]byte{[]byte(frame("A") + frame("B")), []byte(frame("C") + `{"type":3,"invocationId":"1"}` + "\x1e" + frame("D"))})
	if got := len(order); got != 2 || order[0] != "ABC" || order[1] != "D" {
		t.Errorf("received %q: C came before the completion, D after it", order)
	}
	var many bytes.Buffer
	for range 2*maxBatch + 1 {
		many.WriteString(frame("E"))
	}
	order = nil
	c.process([][]byte{many.Bytes()})
	if len(order) != 3 || len(order[0]) != maxBatch || len(order[2]) != 1 {
		t.Errorf("received in %d batches", len(order))
	}
}
