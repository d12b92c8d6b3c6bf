package journal

import (
	"net/http"
	"testing"
	"time"
)

func TestAStandbyThatIsRefusedForAWhileDoesNotWorkBesideTheLeader(t *testing.T) {
	for _, code := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		for name, cut := range map[string]func(a, b *candidate, err error){
			"the standby":  func(_, b *candidate, err error) { b.api.set(err) },
			"both of them": func(a, b *candidate, err error) { a.api.set(err); b.api.set(err) },
		} {
			inBubble(t, func(t *testing.T, api *fakeAPI) {
				a := candidacy(t, api, idA)
				a.want(t, "the first", true, true)
				b := candidacy(t, api, idB)
				pass(time.Minute)
				cut(a, b, refused(code))
				pass(refusedFor + 2*lookInterval)
				cut(a, b, nil)
				pass(time.Minute)
				a.want(t, name+": the leader", true, true)
				b.want(t, name+": the standby", false, false)
				a.end(true)
				b.end(true)
			})
		}
	}
}

func TestALeaseThatIsDeletedByHandIsNotTakenFromALeaderThatWorks(t *testing.T) {
	for offset := range 20 {
		inBubble(t, func(t *testing.T, api *fakeAPI) {
			a := candidacy(t, api, idA)
			a.want(t, "the first", true, true)
			time.Sleep(300 * time.Millisecond)
			b := candidacy(t, api, idB)
			pass(time.Minute + time.Duration(offset)*97*time.Millisecond)
			api.mu.Lock()
			clear(api.objects)
			api.mu.Unlock()
			for range 100 {
				pass(50 * time.Millisecond)
				_, first := a.leads()
				_, second := b.leads()
				if first && second {
					t.Fatal("both start work")
				}
			}
			a.end(true)
			b.end(true)
		})
	}
}
