package streamstest

import (
	"errors"
	"sync"
	"sync/atomic"

	"runnel/streams"
)

var closeTests = map[string]func(fixture){
	"close/refuses":   testClosedRefuses,
	"close/meanwhile": testCloseMeanwhile,
}

func testClosedRefuses(f fixture) {
	f.append("a", plenty, text("1"))
	for range 2 {
		if err := f.log.Close(); err != nil {
			f.Fatalf("Close: %v", err)
		}
	}
	if _, err := f.log.Append(f.ctx, "a", plenty, []streams.Draft{text("2")}); !errors.Is(err, streams.ErrClosed) {
		f.Fatalf("Append: %v", err)
	}
	if _, err := f.log.Range(f.ctx, "a", whole); !errors.Is(err, streams.ErrClosed) {
		f.Fatalf("Range: %v", err)
	}
	if _, err := f.log.Heads(f.ctx, []string{"a"}); !errors.Is(err, streams.ErrClosed) {
		f.Fatalf("Heads: %v", err)
	}
	if _, err := f.log.Stored(f.ctx, streams.Listing{Limit: 1}); !errors.Is(err, streams.ErrClosed) {
		f.Fatalf("Stored: %v", err)
	}
	e := &ear{}
	f.log.Follow("a", e)()
}

// testCloseMeanwhile closes the log while others append, read and follow:
// appends end with a result or with ErrClosed, and nothing hangs.
func testCloseMeanwhile(f fixture) {
	e := &ear{}
	stop := f.followBy("a", e)
	var appended atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			f.untilClosed(func() error {
				_, err := f.log.Append(f.ctx, "a", plenty, []streams.Draft{text("x")})
				if err == nil {
					appended.Add(1)
				}
				return err
			})
		})
		all.Go(func() {
			f.untilClosed(func() error {
				_, err := f.log.Range(f.ctx, "a", streams.Query{Events: 10, Bytes: 1 << 20})
				return err
			})
		})
	}
	f.eventually("some appends", func() bool { return appended.Load() > 50 })
	if err := f.log.Close(); err != nil {
		f.Errorf("Close: %v", err)
	}
	all.Wait()
	stop()
	f.chained(e.all())
}

func (f fixture) untilClosed(call func() error) {
	for {
		switch err := call(); {
		case err == nil:
		case errors.Is(err, streams.ErrClosed):
			return
		default:
			f.Errorf("%v", err)
			return
		}
	}
}
