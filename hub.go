package main

import (
	"log/slog"
	"strings"

	"runnel/client"
	"runnel/streams"
)

// hubFlags say which hub a client command talks to.
type hubFlags struct {
	URL   string `group:"hub" name:"url" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where it is (${default})."`
	Token string `group:"hub" placeholder:"TOKEN" help:"JWT or API key; better in RUNNEL_TOKEN, for ps shows flags."`
}

// connect makes a client that tells of its troubles on stderr.
func (h *hubFlags) connect(s *surroundings) (*client.Client, error) {
	c, err := client.New(client.Options{
		URL:   h.URL,
		Token: strings.TrimSpace(h.Token), // as it comes out of a file
		// A hub may allow more than the usual 64 KiB.
		MaxEvent: 1 << 20,
		Logger:   slog.New(&notes{out: s.stderr}),
	})
	if err != nil {
		return nil, usage("--url: %w", err)
	}
	return c, nil
}

func checkChannels(names ...string) error {
	for _, name := range names {
		if err := streams.ValidChannel(name); err != nil {
			return usage("%q: %w", name, err)
		}
	}
	return nil
}
