package devcontroller

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// receive acts on one message from the operator. An error ends the connection.
func (c *connection) receive(frame []byte) error {
	m, err := parseMessage(frame)
	if err != nil {
		return err
	}
	switch m.Type {
	case typeInvocation, typeStreamInvocation:
		c.invocation(m)
	case typeClose:
		if m.Error != "" {
			return fmt.Errorf("%w: %s", errClosedByClient, m.Error)
		}
		return errClosedByClient
	}
	// A ping has done its work by arriving. Completions and stream items belong to nothing here,
	// and unknown types are messages of a newer protocol: ASP.NET passes over all of them.
	return nil
}

// invocation binds the arguments of a call and lets it run. As in ASP.NET, one runs at a time
// and the reader waits at the next one, while a call that cannot be bound is answered at once.
func (c *connection) invocation(m message) {
	call := Call{
		Time: time.Now(), ConnID: c.id, Generation: c.generation, Method: m.Target, Args: m.Arguments,
	}
	method, known := c.methods[strings.ToLower(m.Target)]
	var err error
	if known {
		call.Method = method.name
		err = bindArguments(method.parameters, m.Arguments)
	} else {
		err = hubException("Method does not exist.")
	}
	if err != nil {
		c.answerError(m, call, "Failed to invoke '%s' due to an error on the server.", err)
		return
	}
	if m.Type == typeStreamInvocation {
		call.Error = fmt.Sprintf("The client attempted to invoke the non-streaming '%s' method "+
			"with a streaming invocation.", m.Target)
		c.answer(m, call, nil)
		return
	}
	select {
	case c.invoking <- struct{}{}:
	case <-c.closing.Done():
		return
	}
	go func() {
		defer func() { <-c.invoking }()
		c.execute(m, method, call)
	}()
}

// execute executes one bound call: a scripted failure first, then the test's handler, then what
// the controller itself does.
func (c *connection) execute(m message, method method, call Call) {
	for _, text := range violations(method.parameters, call.Args) {
		c.server.violated(c, method.name, text)
	}
	result, err := c.server.scripted(call)
	if err == nil && method.apply != nil {
		var own any
		if own, err = method.apply(c, call); result == nil {
			result = own
		}
	}
	if err != nil {
		c.answerError(m, call, "An unexpected error occurred invoking '%s' on the server.", err)
		return
	}
	c.answer(m, call, result)
}

// answerError completes a call with an error in ASP.NET's words.
func (c *connection) answerError(m message, call Call, prefix string, err error) {
	call.Error = explain(fmt.Sprintf(prefix, m.Target), err, c.server.options.HideErrorDetails)
	c.answer(m, call, nil)
}

// answer records a call and completes it. The record comes first: an operator that has its
// answer is sure to be in Calls.
func (c *connection) answer(m message, call Call, result any) {
	var completion []byte
	if call.Error == "" {
		var err error
		if completion, err = resultFrame(m.InvocationID, result); err != nil {
			call.Error = fmt.Sprintf("cannot encode the result of %s: %v", call.Method, err)
		}
	}
	if call.Error != "" {
		completion = errorCompletion(m.InvocationID, call.Error)
	}
	c.server.record(call)
	if m.InvocationID == "" {
		return // sent without awaiting an answer
	}
	if err := c.enqueue(context.Background(), completion); err != nil {
		c.server.options.Logf("cannot answer %s: %v", call.Method, err)
	}
}
