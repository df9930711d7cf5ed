// Command r3labs reads a feed of a hub with the SSE library that many Go
// programs have already: github.com/r3labs/sse/v2. It prints each event, and
// goes on after the last one however the connection ends.
//
//	go run ./examples/r3labs http://127.0.0.1:8080/channels/news/events
//
// A new program is better off with package client, which needs none of the
// settings below.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/r3labs/sse/v2"
	"gopkg.in/cenkalti/backoff.v1"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: r3labs URL")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := follow(ctx, sse.NewClient(os.Args[1], sse.ClientMaxBufferSize(1<<20)), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// follow prints events until ctx ends, or the hub refuses for good.
func follow(ctx context.Context, feed *sse.Client, out io.Writer) error {
	if token := os.Getenv("RUNNEL_TOKEN"); token != "" {
		feed.Headers["Authorization"] = "Bearer " + token
	}
	feed.ResponseValidator = refuse
	var last []byte
	for ctx.Err() == nil {
		// By itself it gives up 15 minutes after it began, and does not see the
		// end of ctx while it waits.
		wait := backoff.NewExponentialBackOff()
		wait.MaxElapsedTime = 0
		feed.ReconnectStrategy = backoff.WithContext(wait, ctx)
		// An answer that is complete ends it without an error: the loop goes on.
		err := feed.SubscribeRawWithContext(ctx, func(e *sse.Event) {
			// A block without an ID comes with the one before: an ephemeral
			// event, or the rest of a block that was cut, which comes whole later.
			isNew := !bytes.Equal(e.ID, last)
			last = e.ID
			switch kind := string(e.Event); {
			case kind == "runnel.gap":
				fmt.Fprintf(out, "missing: %s\n", e.Data)
			case isNew && !strings.HasPrefix(kind, "runnel."):
				fmt.Fprintf(out, "%s %s\n", e.ID, e.Data)
			}
		})
		if err != nil && ctx.Err() == nil {
			return err
		}
		pause(ctx, time.Second)
	}
	return nil
}

// refuse ends a feed that the hub will not open the next time either: by
// itself the library asks again for ever.
func refuse(_ *sse.Client, r *http.Response) error {
	if r.StatusCode == http.StatusOK {
		return nil
	}
	defer r.Body.Close()
	err := fmt.Errorf("the hub says %s", r.Status)
	if r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests {
		return err
	}
	return backoff.Permanent(err)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
