package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Generation of the controller's contract. It changed in place; each connection finds out which one it talks to.
type Generation int

// The generations differ in a pool's identity, in the argument count of RegisterOperatorAsync, and in names.
const (
	G1 Generation = 1 // pools by name, RegisterOperatorAsync()
	G3 Generation = 3 // pools by runtime id, RegisterOperatorAsync(autoManagePools)
	G4 Generation = 4 // pools are called deployment sites
)

// String is G1, G3 or G4; empty for none.
func (g Generation) String() string {
	if g == 0 {
		return ""
	}
	return fmt.Sprintf("G%d", int(g))
}

// Methods whose name depends on the generation, by their name up to G3.
const (
	methodRegister   = "RegisterPoolAsync"
	methodUnregister = "UnregisterPoolAsync"
)

var renamedInG4 = map[string]string{
	methodRegister:   "RegisterDeploymentSiteAsync",
	methodUnregister: "UnregisterDeploymentSiteAsync",
}

// method is what the generation calls a method.
func (g Generation) method(name string) string {
	if renamed, ok := renamedInG4[name]; ok && g == G4 {
		return renamed
	}
	return name
}

// in gives a pool the identity that the generation knows it by.
func (p Pool) in(g Generation) Pool {
	switch {
	case p.Named():
		return p
	case g == G4:
		return Pool{TenantID: p.TenantID, DeploymentSiteRtID: p.ID()}
	default:
		return Pool{TenantID: p.TenantID, PoolRtID: p.ID()}
	}
}

// registerOperator registers, and finds out the generation by what the controller accepts. Its errors do not tell: only
// with detailed errors switched on it says "Invocation provides 1 argument(s) but target expects 0.", in production any
// wrong argument count is just an error on the server. But "Method does not exist." is always said.
func (s *session) registerOperator(ctx context.Context, central bool) ([]Pool, error) {
	s.generation = G3
	answer, err := s.invoke(ctx, "RegisterOperatorAsync", central)
	if rejected := (*rejectedError)(nil); errors.As(err, &rejected) && !rejected.unsupported() {
		// Only G1 takes the short form.
		if older, errOlder := s.invoke(ctx, "RegisterOperatorAsync"); errOlder == nil {
			s.generation, answer, err = G1, older, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot register the operator: %w", err)
	}
	if s.generation == G3 {
		if s.generation, err = s.newestGeneration(ctx); err != nil {
			return nil, err
		}
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

// newestGeneration calls a method of G4 without the arguments it needs: it does nothing there, and does not exist in G3.
// Without an answer nothing is known: a G4 taken for G3 would reject every pool.
func (s *session) newestGeneration(ctx context.Context) (Generation, error) {
	_, err := s.invoke(ctx, renamedInG4[methodRegister])
	rejected := (*rejectedError)(nil)
	switch {
	case err == nil:
		return G4, nil
	case !errors.As(err, &rejected):
		return 0, fmt.Errorf("cannot find out the controller's generation: %w", err)
	case rejected.unsupported():
		return G3, nil
	}
	return G4, nil
}
