//go:build linux

package main

import (
	"fmt"
	"net/url"
	"strings"
)

// other describes a hub that runs already, by templates: {channel} stands for
// a channel's name, {data} for an event's JSON.
type other struct {
	Name        string   `group:"other" default:"other" help:"What tables call it."`
	SSEURL      string   `group:"other" name:"sse-url" placeholder:"URL" help:"Where it streams SSE, such as http://127.0.0.1:3000/.well-known/mercure?topic={channel}."`
	WSURL       string   `group:"other" name:"ws-url" placeholder:"URL" help:"Where it takes WebSockets (as http://)."`
	PublishURL  string   `group:"other" name:"publish-url" placeholder:"URL" help:"Where it takes a POST for each event. Turns the target on."`
	PublishType string   `group:"other" default:"application/json" placeholder:"TYPE" help:"Content type of that POST (${default})."`
	PublishBody string   `group:"other" placeholder:"TEXT" help:"Its body, such as 'topic={channel}&data={data}' (the data alone)."`
	Header      []string `group:"other" sep:"none" placeholder:"LINE" help:"Header of every request, such as 'Authorization: Bearer x'. Repeatable."`
	PID         []int    `group:"other" name:"pid" help:"Its processes; their children count too."`
}

// otherSpeaks reports whether the other hub has that transport.
func (b *bench) otherSpeaks(transport string) bool {
	return transport == "sse" && b.SSEURL != "" || transport == "ws" && b.WSURL != ""
}

// attachOther takes the hub that the options describe. It is not fresh: what
// it held before is in its memory still.
func attachOther(b *bench, _ variant) (*hub, error) {
	h := &hub{stop: func() {}, processes: b.PID, lag: foreignLag}
	if len(b.PID) == 0 {
		return nil, fmt.Errorf("--pid: whose CPU to read")
	}
	lines := ""
	for _, line := range b.Header {
		lines += line + "\r\n"
	}
	h.paths = endpoints{
		subscribeHead: func(int) string { return lines }, publishHead: lines,
		contentType: b.PublishType, body: b.PublishBody,
	}
	for _, u := range []struct {
		text string
		path *string
	}{{b.SSEURL, &h.paths.sse}, {b.WSURL, &h.paths.ws}, {b.PublishURL, &h.paths.publish}} {
		if u.text == "" {
			continue
		}
		parsed, err := url.Parse(strings.NewReplacer("{channel}", "channel").Replace(u.text))
		if err != nil {
			return nil, err
		}
		if err := h.at(parsed.Host); err != nil {
			return nil, err
		}
		_, path, _ := strings.Cut(strings.TrimPrefix(u.text, parsed.Scheme+"://"), "/")
		*u.path = "/" + path
	}
	return h, nil
}
