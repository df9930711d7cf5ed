package server

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"runnel/auth"
)

func TestRequestsOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newRequests(DefaultLimits())
		ann, bob := &auth.Claims{Subject: "ann"}, &auth.Claims{Subject: "bob"}
		var leave []func()
		for range 10 {
			l, err := q.enter(ann)
			if err != nil {
				t.Fatal(err)
			}
			leave = append(leave, l)
		}
		if _, err := q.enter(ann); err == nil || describe(err).code != codeRateLimited {
			t.Errorf("an eleventh at once: %v", err)
		}
		if err := q.pass(bob); err != nil {
			t.Errorf("another user: %v", err)
		}
		for _, l := range leave {
			l()
		}
		passed := 10
		for q.pass(ann) == nil {
			passed++
		}
		if passed != 40 {
			t.Errorf("%d in a burst", passed)
		}
		time.Sleep(time.Second)
		for passed = 0; q.pass(ann) == nil; {
			passed++
		}
		if passed != 20 {
			t.Errorf("%d in the second after", passed)
		}
		for range 1000 {
			if err := q.pass(&auth.Claims{APIKey: true}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Who asks no more is forgotten, and who has something under way is not.
func TestRequestsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newRequests(DefaultLimits())
		if _, err := q.enter(&auth.Claims{Subject: "stays"}); err != nil {
			t.Fatal(err)
		}
		for i := range 10_000 {
			if err := q.pass(&auth.Claims{Subject: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if len(q.users) > 300 || q.users["stays"] == nil {
			t.Errorf("%d users are remembered", len(q.users))
		}
	})
}
