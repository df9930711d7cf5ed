package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"runnel/auth"
)

// What the command makes, a hub with the same secret takes, also while that
// secret is the old one of two.
func TestToken(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"token", "--sub", "ann", "--subscribe", "chat:*,news", "--publish", "chat:42", "--ttl", "2h", "--admin"},
		env("RUNNEL_JWT_SECRET="+testSecret+"\nthe next secret of thirty-two bytes", "RUNNEL_JWT_AUDIENCE=hub"), nil, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	v, err := auth.New(t.Context(), auth.Config{Secrets: [][]byte{[]byte(testSecret)}, Audience: "hub"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	c, err := v.Verify(t.Context(), strings.TrimSuffix(out.String(), "\n"))
	if err != nil {
		t.Fatal(err)
	}
	life := time.Until(c.Expires)
	if c.Subject != "ann" || !c.Admin || !c.MaySubscribe("chat:1") || !c.MaySubscribe("news") || c.MayPublish("chat:1") ||
		!c.MayPublish("chat:42") || life < 119*time.Minute || life > 2*time.Hour {
		t.Errorf("%+v", c)
	}
}
