package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runnel/streams"
)

const (
	testSecret = "a secret of thirty-two bytes, or more"
	testKey    = "0123456789abcdef"
)

// env makes a getenv of NAME=value pairs.
func env(pairs ...string) variables { return pairs }

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "runnel.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDefaults(t *testing.T) {
	c, err := parseConfig(nil, env())
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8080" || c.Store != "memory:" || c.History != 1000 || c.HistoryAge != 24*time.Hour ||
		c.Memory != 256<<20 || c.Drain != 10*time.Second || c.Heartbeat != 25*time.Second || c.MaxConnections != 0 ||
		c.MaxConnectionsPerIP != 500 || c.MaxConnectionsPerUser != 20 || c.LogLevel != "info" || c.LogFormat != "text" || !c.Demo() {
		t.Errorf("%+v", c)
	}
}

// Each source goes before the ones after it.
func TestPrecedence(t *testing.T) {
	file := writeFile(t, "listen: 127.0.0.1:1\nstore: bolt:file.db\ndrain: 1s\nheartbeat: 11s\nhistory: 11\napi_key: ["+testKey+"]\n")
	flags := []string{"--listen", "127.0.0.1:4", "--drain", "4s"}
	vars := []string{"RUNNEL_LISTEN=127.0.0.1:3", "RUNNEL_DRAIN=3s", "RUNNEL_HEARTBEAT=13s"}
	platform := []string{"PORT=2", "REDIS_URL=redis://r"}
	for _, test := range []struct {
		name          string
		args, env     []string
		listen, store string
		drain, beat   time.Duration
		history       int
	}{
		{"all", append(flags, "--config", file), append(vars, platform...), "127.0.0.1:4", "redis://r", 4 * time.Second, 13 * time.Second, 11},
		{"environment", []string{"--config", file}, append(vars, platform...), "127.0.0.1:3", "redis://r", 3 * time.Second, 13 * time.Second, 11},
		{"platform", []string{"--config", file}, platform, ":2", "redis://r", time.Second, 11 * time.Second, 11},
		{"file", nil, []string{"RUNNEL_CONFIG=" + file, "RUNNEL_DRAIN="}, "127.0.0.1:1", "bolt:file.db", time.Second, 11 * time.Second, 11},
		{"a socket", []string{"--store", "redis+unix://u:pw@/run/redis.sock?db=1"}, nil, "127.0.0.1:8080", "redis+unix://u:pw@/run/redis.sock?db=1", 10 * time.Second, 25 * time.Second, 1000},
		{"explicit command", []string{"serve", "--drain=4s"}, nil, "127.0.0.1:8080", "memory:", 4 * time.Second, 25 * time.Second, 1000},
	} {
		c, err := parseConfig(test.args, env(test.env...))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if c.Listen != test.listen || c.Store != test.store || c.Drain != test.drain || c.Heartbeat != test.beat || c.History != test.history {
			t.Errorf("%s: %s %s drain %v heartbeat %v history %d", test.name, c.Listen, c.Store, c.Drain, c.Heartbeat, c.History)
		}
	}
}

func TestLists(t *testing.T) {
	c, err := parseConfig(
		[]string{"--trust-proxy", "10.1.2.3/8", "--trust-proxy=::1", "--origin", "https://a.example,https://b.example", "--origin", "https://c.example"},
		env("RUNNEL_JWT_SECRET="+testSecret+"\n"+testSecret+", the next\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.JWTSecret) != 2 || c.JWTSecret[1] != testSecret+", the next" || len(c.Origin) != 3 ||
		c.TrustProxy[0].String() != "10.0.0.0/8" || c.TrustProxy[1].String() != "::1/128" {
		t.Errorf("%+v", c)
	}
	c, err = parseConfig([]string{"--config", writeFile(t, "origin:\n  - https://a.example\n  - https://b.example\ntrust_proxy: 10.0.0.1\n")}, env())
	if err != nil || len(c.Origin) != 2 || c.TrustProxy[0].String() != "10.0.0.1/32" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestChannelRules(t *testing.T) {
	c, err := parseConfig([]string{"--history", "50"}, env("RUNNEL_CONFIG="+writeFile(t, `
# the first that matches counts
channels:
  - {pattern: "chat:vip", history_age: 48h}
  - pattern: chat:**
    history: 10
    history_age: 1h
`)))
	if err != nil {
		t.Fatal(err)
	}
	for channel, want := range map[string]streams.Retention{
		"chat:vip": {Count: 50, Age: 48 * time.Hour},
		"chat:1:2": {Count: 10, Age: time.Hour},
		"orders":   {Count: 50, Age: 24 * time.Hour},
	} {
		if got := c.Retention(channel); got != want {
			t.Errorf("%s keeps %v, want %v", channel, got, want)
		}
	}
}

// API keys stand in the file as in a flag, or with a name and rights.
func TestAPIKeysInFile(t *testing.T) {
	c, err := parseConfig([]string{"--config", writeFile(t, `
api_key:
  - billing:`+testKey+`
  - {key: "with:colons:0123456789", name: colons}
  - name: reports
    key: reports-0123456789
    rights: {subscribe: ["orders:**", news]}
`)}, env())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v", c.APIKey[:2]); got != fmt.Sprintf("[{Name:billing Key:%s Rights:<nil>} {Name:colons Key:with:colons:0123456789 Rights:<nil>}]", testKey) {
		t.Error(got)
	}
	reports := c.APIKey[2]
	if reports.Name != "reports" || reports.Key != "reports-0123456789" || !reports.Rights.Subscribe.Match("orders:1") || reports.Rights.Publish.Match("orders:1") {
		t.Errorf("%+v", reports)
	}
	one, err := parseConfig(nil, env("RUNNEL_API_KEY=billing:"+testKey+"\n:a:b:0123456789abcdef"))
	if err != nil || len(one.APIKey) != 2 || one.APIKey[0].Name != "billing" || one.APIKey[1].Key != "a:b:0123456789abcdef" {
		t.Errorf("%+v, %v", one, err)
	}
}

func TestReload(t *testing.T) {
	file := writeFile(t, "api_key: "+testKey+"\n")
	c, err := parseConfig([]string{"--config", file}, env())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("api_key: ["+testKey+", another-key-of-mine]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := c.Reload()
	if err != nil || len(again.APIKey) != 2 || len(c.APIKey) != 1 {
		t.Errorf("%v, %v", again, err)
	}
	if err := os.WriteFile(file, []byte("api_key: short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reload(); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("a bad file: %v", err)
	}
}

// A wrong value is named with where it stands and what would be right; what
// may be a secret is not repeated. All of these end with exit code 2.
func TestWrongUsage(t *testing.T) {
	yaml := func(text string) []string { return []string{"--config", writeFile(t, text)} }
	for _, test := range []struct {
		args []string
		env  string
		says string
	}{
		{[]string{"--listen", "8080"}, "", `--listen: "8080" is no address; write host:port`},
		{[]string{"--listen", "127.0.0.1:99999"}, "", `is no address`},
		{[]string{"--admin-listen", "x"}, "", `--admin-listen: "x" is no address`},
		{[]string{"--admin-listen", "127.0.0.1:9090", "--admin-host", "http://runnel"}, "", `--admin-host: "http://runnel" is no name of a host`},
		{[]string{"--admin-host", "runnel"}, "", `--admin-host is what --admin-listen is called by`},
		{nil, "PORT=http", `PORT: "http" is no port`},
		{nil, "PORT=65536", `PORT: "65536" is no port`},
		{[]string{"--drain", "10"}, "", `--drain: "10" is no duration; write a number and a unit, such as 10s`},
		{nil, "RUNNEL_HEARTBEAT=25", `RUNNEL_HEARTBEAT: "25" is no duration`},
		{[]string{"--heartbeat", "2m"}, "", `--heartbeat: 2m is too long; 1m is the most`},
		{[]string{"--heartbeat", "10ms"}, "", `--heartbeat: 10ms is too short; 1s is the least`},
		{[]string{"--drain=-1s"}, "", `--drain: -1s is too short`},
		{[]string{"--history", "0"}, "", `--history: 0 is too little; 1 is the least`},
		{[]string{"--history", "1e3"}, "", `--history: "1e3" is no whole number`},
		{[]string{"--history-age", "1ms"}, "", `--history-age: 1ms is too short`},
		{[]string{"--memory", "256"}, "", `--memory: "256" is no size; write a whole number and a unit, such as 256MiB`},
		{[]string{"--memory", "1KiB"}, "", `--memory: 1KiB is too little; 1MiB is the least`},
		{[]string{"--max-connections=-1"}, "", `--max-connections: -1 is too little; 0 is the least`},
		{[]string{"--max-connections", "-1"}, "", `--max-connections: -1 is too little; 0 is the least`},
		{[]string{"--drain", "-5s"}, "", `--drain: -5s is too short; 0s is the least`},
		{[]string{"--memory", "-1MiB"}, "", `--memory: "-1MiB" is no size`},
		{[]string{"subscribe", "c", "--count", "-1"}, "", `--count: -1 is no number of events`},
		{[]string{"token", "--ttl", "-1h", "--sub", "a"}, "RUNNEL_JWT_SECRET=" + testSecret, `--ttl: -1h is too short; 1s is the least`},
		{[]string{"--redis-wait", "1"}, "", `--redis-wait: only a Redis has replicas, and --store is memory:; set --store redis://HOST`},
		{[]string{"help", "nosuch"}, "", `"nosuch" is no command`},
		{[]string{"--store", "postgres://u:hush@h/"}, "", `no store begins with "postgres"; use memory:, bolt:FILE, redis://`},
		{[]string{"--store", "bolt:"}, "", `needs a file, such as bolt:runnel.db`},
		{[]string{"--store", "redis:u:hush@h"}, "", `is written redis://user:password@host:6379/0`},
		{[]string{"--store", "redis+unix://u:hush@host/redis.sock"}, "", `is written redis+unix:///run/redis.sock?db=0`},
		{[]string{"--store", "redis+unix:/redis.sock"}, "", `is written redis+unix:///run/redis.sock?db=0`},
		{[]string{"--store", "memory:x"}, "", `nothing follows memory:`},
		{[]string{"--trust-proxy", "10.0.0.0/64"}, "", `"10.0.0.0/64" is no range of addresses; write it like 10.0.0.0/8`},
		{[]string{"--origin", "https://a.example/path"}, "", `it has to look like https://app.example.com`},
		{[]string{"--jwt-secret", "hush"}, "", `needs at least 32: make one with openssl rand -hex 32`},
		{[]string{"--api-key", "hush"}, "", `--api-key: API key 1: an API key has 16 to 8192 characters, not 4`},
		{[]string{"--api-key", "hush/hush:0123456789abcdef"}, "", `write :KEY for a key with a colon`},
		{nil, "RUNNEL_API_KEY=" + testKey + "\nhushhushhush:hush", `RUNNEL_API_KEY: API key 2: an API key has 16 to 8192 characters behind its name and colon, not 4`},
		{[]string{"--jwt-public-key", "/nowhere.pem"}, "", `--jwt-public-key: open /nowhere.pem`},
		{[]string{"--tls-cert", "a.pem"}, "", `--tls-cert needs --tls-key`},
		{[]string{"--tls-key", "a.pem"}, "", `--tls-key needs --tls-cert`},
		{[]string{"--log-level", "loud"}, "", `--log-level must be one of "debug","info","warn","error"`},
		{[]string{"--lisen", ":1"}, "", `unknown flag --lisen, did you mean "--listen"`},
		{[]string{"publis", "c"}, "", `"publis" is no command; perhaps publish`},
		{[]string{"publish", "temp", "-5"}, "", `-5 looks like a flag; write -- before it: publish … -- -5`},
		{[]string{"serve", "now"}, "", `unexpected argument now`},
		{[]string{"--config", "/nowhere.yaml"}, "", `--config: open /nowhere.yaml`},
		{yaml("listen: 127.0.0.1:1\nmax-connections: 5\n"), "", `runnel.yaml:2: there is no setting "max-connections"; perhaps max_connections`},
		{yaml("colour: red\n"), "", `runnel.yaml:1: there is no setting "colour"; there are channels, listen`},
		{yaml("drain: 1s\ndrain: 2s\n"), "", `runnel.yaml:2: drain is set twice; its first time is line 1`},
		{yaml("drain:\n"), "", `runnel.yaml:1: drain has no plain value`},
		{yaml("\ndrain: soon\n"), "", `runnel.yaml:2: "soon" is no duration`},
		{yaml("origin: {a: b}\n"), "", `runnel.yaml:1: origin has no plain value`},
		{yaml("origin: [[a]]\n"), "", `runnel.yaml:1: origin is a list of plain values`},
		{yaml("- listen\n"), "", `runnel.yaml:1: not a list of settings`},
		{yaml("drain: 1s\n---\ndrain: 2s\n"), "", `only one YAML document`},
		{yaml("drain: [\n"), "", `runnel.yaml: yaml: line 1`},
		{yaml("channels: {}\n"), "", `runnel.yaml:1: channels is a list of rules`},
		{yaml("channels:\n- history: 5\n"), "", `runnel.yaml:2: a channel rule needs a pattern`},
		{yaml("channels:\n- pattern: a\n  histroy: 5\n"), "", `runnel.yaml:3: there is no setting "histroy"; perhaps history`},
		{yaml("channels:\n- pattern: a\n  history: 0\n"), "", `runnel.yaml:3: history: "0" is no number of events`},
		{yaml("channels:\n- pattern: a\n  history_age: 5\n"), "", `runnel.yaml:3: "5" is no duration`},
		{yaml("channels:\n- pattern: '**a'\n"), "", `runnel.yaml:2: in the channel pattern`},
		{yaml("api_key:\n- name: reports\n"), "", `runnel.yaml:2: an API key needs its key`},
		{yaml("api_key:\n- hush\n"), "", `runnel.yaml:2: API key 1: an API key has 16`},
		{yaml("api_key:\n- {key: hush}\n"), "", `API key 1: an API key has 16`},
		{yaml("api_key:\n- key: 0123456789abcdef\n  right: {}\n"), "", `runnel.yaml:3: there is no setting "right"; perhaps rights`},
		{yaml("api_key:\n- key: 0123456789abcdef\n  rights: {subscribe: a}\n"), "", `runnel.yaml:3: subscribe is a list of patterns`},
		{yaml("api_key:\n- key: 0123456789abcdef\n  rights: {publish: ['**a']}\n"), "", `runnel.yaml:3: in the channel pattern`},
		{yaml("api_key:\n- key: 0123456789abcdef\n  rights: all\n"), "", `runnel.yaml:3: not a list of settings; write one a line, such as publish: …`},
		{[]string{"publish"}, "", `expected "<channel>"`},
		{[]string{"publish", "a/b", "x"}, "", `"a/b": a channel name is`},
		{[]string{"publish", "c", ""}, "", `<data> is empty`},
		{[]string{"publish", "c", "--json", "{"}, "", `<data> is not JSON; leave out --json`},
		{[]string{"publish", "c", "--key", "k"}, "", `--key is for a single event`},
		{[]string{"publish", "c", "--timeout", "5s"}, "", `--timeout is for a single event`},
		{[]string{"publish", "c", "x", "--timeout", "0s"}, "", `--timeout: 0s is too short`},
		{[]string{"publish", "c", "x", "--url", "localhost:1"}, "", `--url: "localhost:1" is no hub's URL, such as http://127.0.0.1:8080`},
		{[]string{"subscribe", "c", "--since", "1m", "--rewind", "1"}, "", `can't be used together`},
		{[]string{"subscribe", "c", "--count=-1"}, "", `--count: -1 is no number of events`},
		{[]string{"token"}, "", `set RUNNEL_JWT_SECRET or --jwt-secret`},
		{[]string{"token"}, "RUNNEL_JWT_SECRET=" + testSecret, `name the user with --sub`},
		{[]string{"token", "--subscribe", "a/b"}, "RUNNEL_JWT_SECRET=" + testSecret, `--subscribe: the channel pattern "a/b"`},
	} {
		err := run(t.Context(), test.args, env(test.env), strings.NewReader(""), new(strings.Builder), new(strings.Builder))
		var stderr strings.Builder
		code := exitCode(err, &stderr)
		if code != 2 || !strings.Contains(stderr.String(), test.says) || strings.Contains(stderr.String(), "hush") {
			t.Errorf("%v %s: exit %d, %s", test.args, test.env, code, stderr.String())
		}
	}
}

// A variable that looks like a setting and is none is told of, with the one
// that was probably meant, and none of those that Kubernetes sets.
func TestStrangeVariables(t *testing.T) {
	var stderr strings.Builder
	err := run(t.Context(), []string{"version"}, env("RUNNEL_MAX_CONECTIONS=5", "RUNNEL_STORAGE_OF_ALL=hush", "RUNNEL_api_key=hush", "RUNNEL_URL=http://x", "RUNNEL_CONFIG=",
		"RUNNEL_SERVICE_HOST=10.0.0.1", "RUNNEL_SERVICE_PORT_HTTP=80", "RUNNEL_PORT=tcp://10.0.0.1:80", "RUNNEL_PORT_80_TCP_ADDR=10.0.0.1", "RUNNEL_ADMIN_PORT=tcp://10.0.0.1:80", "RUNNEL_ADMIN_SERVICE_PORT=1",
		"PATH=/bin", "RUNNEL=1"), nil, io.Discard, &stderr)
	want := `runnel: RUNNEL_MAX_CONECTIONS in the environment is no setting; perhaps RUNNEL_MAX_CONNECTIONS
runnel: RUNNEL_STORAGE_OF_ALL in the environment is no setting; runnel serve --help lists them
runnel: RUNNEL_api_key in the environment is no setting; perhaps RUNNEL_API_KEY
`
	if err != nil || stderr.String() != want {
		t.Errorf("%v\n%s", err, &stderr)
	}
}

func TestSpoken(t *testing.T) {
	for want, d := range map[string]time.Duration{"0s": 0, "1m": time.Minute, "1h": time.Hour, "1h5m": 65 * time.Minute, "90ms": 90 * time.Millisecond, "10m": 10 * time.Minute, "1h0m5s": time.Hour + 5*time.Second, "-2m": -2 * time.Minute} {
		if got := spoken(d); got != want {
			t.Errorf("%v is spoken %s, want %s", d, got, want)
		}
	}
}

// A hub without keys is for its own machine only, however the address was said.
func TestDemoStaysOnLoopback(t *testing.T) {
	for _, test := range []struct {
		args []string
		env  string
		flag string // that the refusal names; "" for none
	}{
		{nil, "", ""},
		{[]string{"--listen", "localhost:0"}, "", ""},
		{[]string{"--listen", "[::1]:0"}, "", ""},
		{[]string{"--listen", "127.9.9.9:0"}, "", ""},
		{[]string{"--listen", ":8080"}, "", "--api-key"},
		{[]string{"--listen", "0.0.0.0:8080"}, "", "--api-key"},
		{[]string{"--listen", "[::]:8080"}, "", "--jwt-secret"},
		{[]string{"--listen", "192.0.2.1:8080"}, "", "--jwks"},
		{[]string{"--listen", "example.com:80"}, "", "--jwt-public-key"},
		{nil, "PORT=8080", "--api-key"},
		{nil, "RUNNEL_LISTEN=:1", "--listen"},
		{[]string{"--admin-listen", ":9090"}, "", "--admin-listen says :9090"},
		{[]string{"--admin-listen", ":9090"}, "PORT=8080", "--listen (or PORT) says :8080"},
		{[]string{"--listen", ":8080", "--api-key", testKey}, "", ""},
		{[]string{"--listen", ":8080", "--jwt-secret", testSecret}, "", ""},
		{[]string{"--api-key", testKey}, "PORT=8080", ""},
		{[]string{"--jwks", "https://keys.example/jwks"}, "PORT=8080", ""},
	} {
		_, err := parseConfig(test.args, env(test.env))
		_, wrong := errors.AsType[*usageError](err)
		switch {
		case test.flag == "" && err != nil:
			t.Errorf("%v %s: %v", test.args, test.env, err)
		case test.flag != "" && (!wrong || !strings.Contains(err.Error(), test.flag)):
			t.Errorf("%v %s is not refused for %s: %v", test.args, test.env, test.flag, err)
		}
	}
}

func TestSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := size(rapid.Int64Min(0).Draw(t, "bytes"))
		var back size
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Fatalf("%d is written %s and read as %d, %v", s, s, back, err)
		}
	})
	for text, want := range map[string]size{"1 GiB": 1 << 30, "5MB": 5e6, "7B": 7, "": -1, "MiB": -1, "1.5GiB": -1, "-1KiB": -1, "9000000TiB": -1, "12": -1} {
		got := size(-1)
		if err := got.UnmarshalText([]byte(text)); got != want || (err == nil) != (want >= 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func FuzzConfigFile(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\nchannels:\n- {pattern: a, history: 1}\n")
	f.Add("api_key:\n- {name: a, key: b, rights: {subscribe: [c], publish: []}}\n")
	f.Add("a: &a [1]\norigin: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseFile("f", []byte(text), []string{"listen", "origin", "api-key"})
		if err != nil {
			return
		}
		_, _ = file.channels()
		if n := file.settings["api_key"]; n != nil {
			_, _ = file.apiKeys(n, "api_key")
		}
	})
}
