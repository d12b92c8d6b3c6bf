package journal

import "time"

// The times of the Lease. A leader stops starting work before anybody else can begin to: 4 s lie between, for a request that is
// under way and a process that does not get its turn. A killed leader is replaced after at most leaseDuration and two looks.
const (
	// renewInterval lets three renewals fail before the leader pauses.
	renewInterval = 2 * time.Second
	// renewTimeout is what one of them may take.
	renewTimeout = 3 * time.Second
	// pauseAfter a renewal was sent that has succeeded, a leader starts nothing any more until the next one has.
	pauseAfter = 8 * time.Second
	// writeTimeout is what a request may take that changes the copies: what was sent just before the pause has ended before they can be
	// another operator's.
	writeTimeout = 4 * time.Second
	// leaseDuration without a renewal, and a standby takes the Lease. The standby measures it with its own clock, and only while the API
	// server answers: clocks differ, and after an outage everybody's last renewal is old.
	leaseDuration = 12 * time.Second
	// lookInterval is how often a standby looks: after a leader that has ended well nobody leads for about that long.
	lookInterval = time.Second
	// refusedFor is how long the API server must refuse the Lease before that counts as a matter of permissions: one that has just been
	// started refuses everything for a moment.
	refusedFor = 5 * time.Second
	// aloneInterval is how often an operator that was refused a Lease, and works alone, asks again: an API server that was started a moment ago
	// may have refused it, and another operator leads.
	aloneInterval = 10 * time.Second
)

// tenure is when the last renewal was sent that has succeeded.
type tenure time.Time

// mayStart is false when the Lease may soon be somebody else's. The wall clock counts too: the other one does not go on while a machine
// sleeps.
func (t tenure) mayStart(now time.Time) bool {
	sent := time.Time(t)
	return now.Sub(sent) < pauseAfter && now.Round(0).Sub(sent.Round(0)) < pauseAfter
}

// sight is something that was looked at several times.
type sight struct {
	what  string
	since time.Time // when it was first seen to be that
}

// unchanged is how long it has been what it is now.
func (s *sight) unchanged(what string, now time.Time) time.Duration {
	if s.since.IsZero() || s.what != what {
		*s = sight{what, now}
	}
	return now.Sub(s.since)
}
