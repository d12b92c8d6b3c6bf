package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Generation of the controller's contract, which has changed in place. Each connection finds out the generation of its controller.
type Generation int

// Generations differ in how a pool is identified, in the arguments of RegisterOperatorAsync, and in names.
const (
	G1 Generation = 1 // pools by name, RegisterOperatorAsync()
	G3 Generation = 3 // pools by runtime id, RegisterOperatorAsync(autoManagePools)
	G4 Generation = 4 // pools are called deployment sites
)

// String returns G1, G3 or G4; empty for 0.
func (g Generation) String() string {
	if g == 0 {
		return ""
	}
	return fmt.Sprintf("G%d", int(g))
}

// Methods that G4 has renamed, under their older names.
const (
	methodRegister   = "RegisterPoolAsync"
	methodUnregister = "UnregisterPoolAsync"
)

var renamedInG4 = map[string]string{
	methodRegister:   "RegisterDeploymentSiteAsync",
	methodUnregister: "UnregisterDeploymentSiteAsync",
}

// method returns the name that this generation uses for a method.
func (g Generation) method(name string) string {
	if renamed, ok := renamedInG4[name]; ok && g == G4 {
		return renamed
	}
	return name
}

// in returns the pool with the identity field that generation g uses. A pool of G1 is returned as it is.
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

// registerOperator registers the operator and finds out the generation from which calls the controller accepts. The error texts do not
// help: "Invocation provides 1 argument(s) but target expects 0." comes only with detailed errors switched on; in production a wrong
// argument count is just an error on the server. Only "Method does not exist." is always said.
func (s *session) registerOperator(ctx context.Context, central bool) ([]Pool, error) {
	s.generation = G3
	answer, err := s.invoke(ctx, "RegisterOperatorAsync", central)
	if rejected := (*rejectedError)(nil); errors.As(err, &rejected) && !rejected.unsupported() {
		// Only G1 accepts the call without an argument.
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

// newestGeneration tells G4 from G3: it calls a method of G4 without its arguments, which does nothing in G4 and does not exist in G3.
// Without an answer it returns an error and does not guess: as a G3 operator it would have every pool rejected by a G4 controller.
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
