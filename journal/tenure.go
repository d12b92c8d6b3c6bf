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
	// olderDuration is how long an operator of an older version counts as alive without a renewal: it renews every 3 s.
	olderDuration = 15 * time.Second
	// refusedFor is how long the API server must refuse the Lease before that counts as a matter of permissions: one that has just been
	// started refuses everything for a moment.
	refusedFor = 5 * time.Second
)

// tenure is how long a leader may start work.
type tenure struct {
	renewed time.Time // when the last renewal was sent that has succeeded
}

// mayStart is false when the Lease may soon be somebody else's. The wall clock counts too: the other one does not go on while a machine
// sleeps.
func (t tenure) mayStart(now time.Time) bool {
	return now.Sub(t.renewed) < pauseAfter && now.Round(0).Sub(t.renewed.Round(0)) < pauseAfter
}

// sight is how somebody else's Lease has been seen.
type sight struct {
	renewed string    // its RenewTime
	since   time.Time // when it was first seen so
}

// look notes what was seen, and tells whether it has been so for as long as limit.
func (s *sight) look(renewed string, now time.Time, limit time.Duration) (expired bool) {
	if s.since.IsZero() || s.renewed != renewed {
		*s = sight{renewed, now}
	}
	return now.Sub(s.since) > limit
}

// span measures how long something has been true without a break.
type span struct{ since time.Time }

// of is how long it has been true, if it is.
func (s *span) of(is bool, now time.Time) time.Duration {
	if !is {
		s.since = time.Time{}
		return 0
	}
	if s.since.IsZero() {
		s.since = now
	}
	return now.Sub(s.since)
}
