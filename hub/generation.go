package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Generation of the controller's contract. It changed in place; each connection finds out which one it talks to.
type Generation int

// The generations differ in a pool's identity and in the argument count of RegisterOperatorAsync.
const (
	G1 Generation = 1 // pools by name, RegisterOperatorAsync()
	G3 Generation = 3 // pools by runtime id, RegisterOperatorAsync(autoManagePools)
)

func (g Generation) String() string { return fmt.Sprintf("G%d", int(g)) }

// registerOperator registers with the mode argument, and without it where the controller is too old to take it. Which it
// is, the answer tells only with detailed errors switched on in the controller ("Invocation provides 1 argument(s) but
// target expects 0."); in production it is any error at all. So the short form decides: only G1 takes it.
func (s *session) registerOperator(ctx context.Context, central bool) ([]Pool, error) {
	s.generation = G3
	answer, err := s.invoke(ctx, "RegisterOperatorAsync", central)
	if rejected := (*RejectedError)(nil); errors.As(err, &rejected) && !rejected.Unsupported() {
		if older, errOlder := s.invoke(ctx, "RegisterOperatorAsync"); errOlder == nil {
			s.generation, answer, err = G1, older, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot register the operator: %w", err)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer of RegisterOperatorAsync: %w", err)
	}
	pools, err := Decode[[]Pool](text)
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer of RegisterOperatorAsync: %w", err)
	}
	return pools, nil
}
