package server

import (
	"context"
	"sync"
)

// answers bounds what the node holds of pages until their peers have taken
// them. Who wants one waits for room.
type answers struct {
	mu      sync.Mutex
	free    int
	users   map[string]int // what each holds; nobody who holds nothing stands here
	waiting []*waitingAnswer
}

type waitingAnswer struct {
	user string
	room chan struct{} // closed when there is room
	left bool          // it waits no more
}

const (
	// answersRoom is what all pages under way together may take: 32 MiB,
	// 16 that are being read, or as many again that are being written.
	answersRoom = 32 << 20
	// answerRoom is what one may: its events, and what they are encoded as.
	answerRoom = 2 * maxPageBytes
)

func newAnswers() *answers { return &answers{free: answersRoom, users: map[string]int{}} }

// room is what a page under way holds. The zero room, or nil, holds nothing.
type room struct {
	all  *answers
	user string
	held int
}

var errNoRoom = fault(codeUnavailable, "too many large answers are under way; try again")

// enter waits until there is room for a page of the user's. The caller calls
// leave when the peer has taken it.
func (a *answers) enter(ctx context.Context, user string) (*room, error) {
	a.mu.Lock()
	if a.fits(user) {
		defer a.mu.Unlock()
		return a.give(user), nil
	}
	w := &waitingAnswer{user: user, room: make(chan struct{})}
	a.waiting = append(a.waiting, w)
	a.mu.Unlock()
	select {
	case <-w.room:
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-w.room:
		return &room{a, user, answerRoom}, nil
	default:
		w.left = true
		return nil, errNoRoom
	}
}

// fits: a user may hold as much as is left for all others. So a few who do not
// read always leave room for one who does.
func (a *answers) fits(user string) bool {
	return a.users[user]+answerRoom <= a.free
}

func (a *answers) give(user string) *room {
	a.free -= answerRoom
	a.users[user] += answerRoom
	return &room{a, user, answerRoom}
}

// shrink gives back what the page does not need once it is known.
func (r *room) shrink(n int) {
	if r != nil && n < r.held {
		r.giveBack(r.held - n)
	}
}

// leave gives back all.
func (r *room) leave() { r.shrink(0) }

func (r *room) giveBack(n int) {
	a := r.all
	a.mu.Lock()
	defer a.mu.Unlock()
	r.held -= n
	a.free += n
	if a.users[r.user] -= n; a.users[r.user] == 0 {
		delete(a.users, r.user)
	}
	a.letIn()
}

// letIn gives room to those who wait, in their order as far as each may have it.
func (a *answers) letIn() {
	still := a.waiting[:0]
	for _, w := range a.waiting {
		switch {
		case w.left:
		case a.fits(w.user):
			a.give(w.user)
			close(w.room)
		default:
			still = append(still, w)
		}
	}
	clear(a.waiting[len(still):])
	a.waiting = still
}
