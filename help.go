package main

import (
	"fmt"

	"github.com/alecthomas/kong"
)

const about = `A notification hub: publish an event to a channel with one HTTP request; browsers
get it over Server-Sent Events or a WebSocket, and after a break go on from the
last event they saw.

Try it:

  runnel                                        # the hub, with a page at http://127.0.0.1:8080
  runnel subscribe news                         # in a second terminal
  runnel publish news 'Hello'                   # in a third
  tail -F app.log | runnel publish logs         # each line an event, once, whatever restarts`

const aboutFlags = `Each flag can also be set in the environment: --max-connections is
RUNNEL_MAX_CONNECTIONS, --url is RUNNEL_URL.`

const aboutServe = `Each flag can also be set in the environment (--max-connections is RUNNEL_MAX_CONNECTIONS)
and in the file of --config (max_connections:). A flag goes before the environment, the
environment before the file.

Without any key the hub is in demo mode: everybody may do everything, on loopback only.
Give keys in the environment or in the file of --config: whoever runs ps sees flags.

Examples:

  runnel
  RUNNEL_API_KEY=$(openssl rand -hex 24) runnel --listen :8080 --store redis://localhost
  runnel --config /etc/runnel.yaml`

const aboutPublish = `Each flag can also be set in the environment: --url is RUNNEL_URL.

With <data> it publishes one event and prints its ID. A JSON object or array is published as
JSON, anything else as text; --text and --json say otherwise. While the hub is away it tries
again, for --timeout at most; the exit code is 1 then.

Without <data>, each line of standard input becomes an event, in order and once each: as text,
or with --json as JSON. It tries again for as long as it takes, however often the hub is away,
and says so. A line that the hub does not take is named and left out; the exit code is 1 then.

Examples:

  runnel publish news 'Hello'
  runnel publish orders --event created '{"id":17}'
  vmstat 1 | runnel publish vmstat
  jq -c '.[]' orders.json | runnel publish orders --json`

const aboutSubscribe = `Each flag can also be set in the environment: --url is RUNNEL_URL.

It connects again for as long as it takes, and goes on where it was. What the hub can no
longer deliver is said on standard error, with --json on standard output.

Examples:

  runnel subscribe news
  runnel subscribe --json --since 10m orders payments
  runnel subscribe logs --last-event-id earliest --count 100`

const aboutToken = `Each flag can also be set in the environment: --jwt-secret is RUNNEL_JWT_SECRET.

It needs the hub's JWT secret and makes a token that a hub with that secret accepts.

Example:

  export RUNNEL_JWT_SECRET=$(openssl rand -hex 32)
  runnel token --sub ann --subscribe 'chat:*' --publish chat:42`

// groups are the headings of serve's flags.
var groups = kong.ExplicitGroups([]kong.Group{
	{Key: "listen", Title: "Listening:"},
	{Key: "store", Title: "Store and history:"},
	{Key: "keys", Title: "Keys and origins:"},
	{Key: "limits", Title: "Limits:"},
	{Key: "running", Title: "Running:"},
	{Key: "hub", Title: "The hub:"},
	{Key: "start", Title: "Where to begin (default: now):"},
})

// help is kong's help and, below it, what kong would wrap: examples, and where
// flags can be set otherwise.
func help(options kong.HelpOptions, k *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, k); err != nil {
		return err
	}
	text := aboutFlags
	if node := k.Selected(); node != nil {
		text = details[node.Name]
	}
	if text == "" {
		return nil
	}
	_, err := fmt.Fprintf(k.Stdout, "\n%s\n", text)
	return err
}

var details = map[string]string{
	"serve":     aboutServe,
	"publish":   aboutPublish,
	"subscribe": aboutSubscribe,
	"token":     aboutToken,
}
