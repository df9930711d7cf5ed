package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"runnel/auth"
	"runnel/streams"
)

func TestDraftKeysAreBoundedAndTheirPublishersOwn(t *testing.T) {
	key := func(user, k string) string {
		d, err := draftKey(&auth.Claims{Subject: user}, &k)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	seen := map[string]bool{}
	for _, k := range []string{key("a", "b"), key("ab", ""+"c"), key("a", "bc"), key("a", strings.Repeat("x", 256))} {
		if seen[k] || len(k) > 32 {
			t.Errorf("key %q", k)
		}
		seen[k] = true
	}
	if again := key("a", "b"); !seen[again] {
		t.Error("not the same twice")
	}
}

// lateLog answers appends to the channel "late" when nobody waits any more.
type lateLog struct {
	streams.Log
	says error
}

func (l *lateLog) Append(ctx context.Context, channel string, keep streams.Retention, drafts []streams.Draft) ([]streams.Result, error) {
	if channel != "late" {
		return l.Log.Append(ctx, channel, keep, drafts)
	}
	<-ctx.Done()
	return nil, fmt.Errorf("%w: %w", l.says, ctx.Err())
}

// TestTheLogSaysWhatBecameOfALateAppend: only what the log may have taken has
// an unknown outcome; what never came to be sent may be repeated without a key.
func TestTheLogSaysWhatBecameOfALateAppend(t *testing.T) {
	for _, c := range []struct {
		says   error
		status int
		code   string
	}{
		{streams.ErrUnavailable, http.StatusServiceUnavailable, codeUnavailable},
		{streams.ErrUnknownOutcome, http.StatusGatewayTimeout, codeUnknownOutcome},
	} {
		n := startNode(t, func(c *Config, _ *auth.Config) {
			c.Limits = DefaultLimits()
			c.Limits.PublishWait = 20 * time.Millisecond
		})
		broker := streams.NewBroker(streams.BrokerOptions{Log: &lateLog{n.store, c.says}, Node: "n1"})
		defer broker.Close()
		n.Server.broker = broker
		n.wantCode(n.publish("/channels/late/events", asJSON, "1"), c.status, c.code)
		got := n.batch(asJSON, `[{"channel":"late","data":1},{"channel":"c","data":1}]`, testAPIKey)
		if outcomes := outcomesOf(got); outcomes != c.code+" id" {
			t.Errorf("a batch: %s", outcomes)
		}
	}
}
