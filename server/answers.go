package server

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// answers bounds what the node holds of pages until their peers have taken
// them. Who wants one waits for room.
type answers struct {
	draining <-chan struct{} // closed when nobody is to wait any more

	mu    sync.Mutex
	free  int
	users map[string]*answerUser // those who hold some or wait
	turns list.List              // of those who wait, *answerUser; the first is asked first
}

type answerUser struct {
	name    string
	held    int
	waiting list.List     // chan struct{}, each closed when it has room
	turn    *list.Element // in turns, nil while nobody waits
}

const (
	// answersRoom is what all pages under way together may take: 32 MiB,
	// 16 that are being read, or as many again that are being written.
	answersRoom = 32 << 20
	// answerRoom is what one may: its events, and what they are encoded as.
	answerRoom = 2 * maxPageBytes
	// answersWait is how long one waits for room: as long as for its reading.
	answersWait = historyWait
)

func newAnswers(draining <-chan struct{}) *answers {
	return &answers{draining: draining, free: answersRoom, users: map[string]*answerUser{}}
}

// room is what a page under way holds; nil holds nothing.
type room struct {
	all  *answers
	user *answerUser
	held int
}

var errNoRoom = fault(codeUnavailable, "too many large answers are under way; try again")

// enter waits until there is room for a page of the user's. The caller calls
// leave when the peer has taken it.
func (a *answers) enter(ctx context.Context, name string) (*room, error) {
	held, u, place := a.ask(name)
	if place == nil {
		return held, nil
	}
	over := time.NewTimer(answersWait)
	defer over.Stop()
	err := errNoRoom
	select {
	case <-place.Value.(chan struct{}):
	case <-over.C:
	case <-ctx.Done():
	case <-a.draining:
		err = errDraining
	}
	return a.stopWaiting(u, place, err)
}

// ask gives room, or where there is none a place among the user's that wait.
func (a *answers) ask(name string) (held *room, u *answerUser, place *list.Element) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u = a.users[name]
	if u == nil {
		u = &answerUser{name: name}
		a.users[name] = u
	}
	if a.fits(u) {
		return a.give(u), u, nil
	}
	place = u.waiting.PushBack(make(chan struct{}))
	if u.turn == nil {
		u.turn = a.turns.PushBack(u)
	}
	return nil, u, place
}

// stopWaiting returns the room that place was given, else err.
func (a *answers) stopWaiting(u *answerUser, place *list.Element, err error) (*room, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-place.Value.(chan struct{}):
		return &room{a, u, answerRoom}, nil
	default:
		a.forget(u, place)
		return nil, err
	}
}

// fits: a user may hold as much as is left for all others. So a few who do not
// read always leave room for one who does.
func (a *answers) fits(u *answerUser) bool { return u.held+answerRoom <= a.free }

func (a *answers) give(u *answerUser) *room {
	a.free -= answerRoom
	u.held += answerRoom
	return &room{a, u, answerRoom}
}

// forget takes out a place that waits no more.
func (a *answers) forget(u *answerUser, place *list.Element) {
	u.waiting.Remove(place)
	if u.waiting.Len() == 0 {
		a.turns.Remove(u.turn)
		u.turn = nil
	}
	a.dropIdle(u)
}

func (a *answers) dropIdle(u *answerUser) {
	if u.held == 0 && u.turn == nil {
		delete(a.users, u.name)
	}
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
	r.user.held -= n
	a.letIn()
	a.dropIdle(r.user)
}

// letIn gives room to the user whose turn it is, of those who may have it now:
// to one, for no more was given back than one takes. While thousands wait, that
// is a look at the first.
func (a *answers) letIn() {
	for turn := a.turns.Front(); turn != nil && a.free >= answerRoom; turn = turn.Next() {
		u := turn.Value.(*answerUser)
		if !a.fits(u) {
			continue
		}
		a.give(u)
		place := u.waiting.Front()
		close(place.Value.(chan struct{}))
		a.turns.MoveToBack(turn)
		a.forget(u, place)
		return
	}
}
