package journal

import "time"

// Times of the Lease. A leader stops starting work 4 s before another operator can begin to: these are for a request that is under way,
// and for a process that gets no CPU time. A killed leader is replaced after at most leaseDuration and two looks.
const (
	// renewInterval allows three renewals to fail before the leader pauses.
	renewInterval = 2 * time.Second
	// renewTimeout bounds one renewal.
	renewTimeout = 3 * time.Second
	// pauseAfter is how long a leader may start work after it has sent its last successful renewal. Then it pauses until the next one
	// succeeds.
	pauseAfter = 8 * time.Second
	// writeTimeout bounds a request that changes the copies: one that was sent just before the pause has ended before another operator
	// can own the copies.
	writeTimeout = 4 * time.Second
	// leaseDuration is how long a Lease is valid without a renewal; then a standby takes it. The standby measures it with its own clock,
	// because clocks differ, and only while the API server answers, because after an outage the last renewal of every operator is old.
	leaseDuration = 12 * time.Second
	// lookInterval is how often a standby looks at the Lease. After a leader has given it up, nobody leads for about that long.
	lookInterval = time.Second
	// refusedFor is how long the API server must refuse the Lease before that is taken for a missing permission: an API server that has
	// just started refuses everything for a moment.
	refusedFor = 5 * time.Second
	// aloneInterval is how often an operator that works without a Lease tries to get one. It may have been refused only because the API
	// server had just started, and another operator may lead.
	aloneInterval = 10 * time.Second
)

// tenure is the time when the last successful renewal was sent.
type tenure time.Time

// mayStart is false when another operator may soon take the Lease. The wall clock is compared too, because the monotonic clock stops
// while a machine sleeps.
func (t tenure) mayStart(now time.Time) bool {
	sent := time.Time(t)
	return now.Sub(sent) < pauseAfter && now.Round(0).Sub(sent.Round(0)) < pauseAfter
}

// sight is a value that is observed repeatedly.
type sight struct {
	what  string
	since time.Time // when it was first seen
}

// unchanged takes the newest value, and returns how long ago it was first seen.
func (s *sight) unchanged(what string, now time.Time) time.Duration {
	if s.since.IsZero() || s.what != what {
		*s = sight{what, now}
	}
	return now.Sub(s.since)
}
