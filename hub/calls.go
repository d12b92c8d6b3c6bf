package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
)

// pendingCalls holds our calls of the hub's methods that wait for their completions.
//
// We do not use the library's calls, for two reasons. When the connection ends while a completion is processed, the library closes a channel to which
// another goroutine sends: a data race, and in the worst case a panic that ends the operator. And the library may give two calls at the same time the
// same id, and then ends the connection.
type pendingCalls struct {
	last    atomic.Int64
	mu      sync.Mutex
	waiting map[string]chan completion
}

// completion is the answer to a call. Error and Result are as in the SignalR hub protocol; both empty: the method returns nothing.
type completion struct {
	Error  string `json:"error"`
	Result any    `json:"result"`
}

// add returns the id of a new call, and the channel for its completion.
func (c *pendingCalls) add() (id string, answer <-chan completion) {
	id = strconv.FormatInt(c.last.Add(1), 10)
	to := make(chan completion, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = map[string]chan completion{}
	}
	c.waiting[id] = to
	return id, to
}

// take removes a call and returns the channel for its completion; nil: nobody waits for it.
func (c *pendingCalls) take(id string) chan<- completion {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := c.waiting[id]
	delete(c.waiting, id)
	return to
}

// call calls a method of the hub and waits for its completion. The error is a *rejectedError if the completion is an error, wraps errLost if the
// connection ended, or says that ctx has ended.
func (c *connection) call(ctx context.Context, method string, arguments []any) (any, error) {
	id, answer := c.calls.add()
	defer c.calls.take(id)
	if arguments == nil {
		arguments = []any{}
	}
	text, err := json.Marshal(struct {
		Type         int    `json:"type"`
		InvocationID string `json:"invocationId"`
		Target       string `json:"target"`
		Arguments    []any  `json:"arguments"`
	}{1, id, method, arguments})
	if err != nil {
		return nil, fmt.Errorf("cannot call %s: %w", method, err)
	}
	if _, err := c.Write(append(text, frameEnd)); err != nil {
		return nil, fmt.Errorf("cannot call %s: %w: %w", method, errLost, err)
	}
	return c.await(ctx, method, answer)
}

// await returns what call does, once the call is sent.
func (c *connection) await(ctx context.Context, method string, answer <-chan completion) (any, error) {
	var err error
	select {
	case got := <-answer:
		return got.result(method)
	case <-c.ended:
		err = fmt.Errorf("cannot call %s: %w: %w", method, errLost, c.err)
	case <-ctx.Done():
		err = fmt.Errorf("cannot call %s: no answer: %w", method, ctx.Err())
	}
	select {
	case got := <-answer: // it came at the same moment: a call that was answered must not be repeated
		return got.result(method)
	default:
		return nil, err
	}
}

func (c completion) result(method string) (any, error) {
	if c.Error != "" {
		return nil, &rejectedError{Method: method, Reason: c.Error}
	}
	return c.Result, nil
}

// completed hands a completion to the call that waits for it. A completion that nobody waits for, because it came too late, is dropped.
func (c *connection) completed(id string, frame []byte) {
	to := c.calls.take(id)
	if to == nil {
		return
	}
	var got completion
	if err := json.Unmarshal(frame, &got); err != nil {
		got.Error = "the answer cannot be read: " + err.Error()
	}
	to <- got
}
