package browsers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runnel/hubtest"
)

// proxies are real ones with what they do by default; only idle time is
// shorter than their 50 and 60 seconds, as are the hub's heartbeats. nginx
// passes no upgrades unless told to, and says so with the hub's answer.
var proxies = map[string]struct {
	rung, config string
	args         []string
}{
	"nginx": {"sse", `daemon off; error_log stderr; pid nginx.pid;
events {}
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	proxy_read_timeout 4s; proxy_send_timeout 4s;
	server {
		listen 127.0.0.1:%d;
		location / { proxy_pass http://%s; }
	}
}
`, []string{"-e", "stderr", "-p", ".", "-c"}},
	"haproxy": {"ws", `defaults
	mode http
	timeout connect 5s
	timeout client 4s
	timeout server 4s
frontend all
	bind 127.0.0.1:%d
	default_backend hub
backend hub
	server one %s
`, []string{"-f"}},
}

// TestClientBehindProxies: live on the best rung that the proxy lets through,
// kept alive beyond its idle time, and resumed when the hub restarts behind it.
func TestClientBehindProxies(t *testing.T) {
	t.Parallel()
	for name, proxy := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := hubtest.Start(t, "--heartbeat", "1s", "--store", "bolt:"+filepath.Join(t.TempDir(), "runnel.db"))
			at := startProxy(t, name, proxy.config, hub.Addr, proxy.args)
			p := &publisher{t: t, url: hub.URL, channel: "behind"}
			v := view{hub: "http://" + at, channels: []string{p.channel}}
			pages := clients(t, options("", nil), v)
			for _, rung := range []string{"sse", "poll"} {
				pages = append(pages, clients(t, options(rung, nil), v)...)
			}
			var native []*page // which the proxy's 502 would end for good
			for _, b := range cast(t).browsers {
				page := cast(t).open(t, b, "eventsource", v)
				page.awaitLive()
				native = append(native, page)
			}
			p.publish(5)
			awaitAll(append(native, pages...), p)
			for i, page := range pages[:2] {
				if got := page.saw("connected")[0].Data; got != proxy.rung {
					t.Errorf("%s, %d. is on %s", page.label, i, got)
				}
			}
			time.Sleep(6 * time.Second) // longer than the proxy leaves an idle connection
			for _, page := range pages[:2] {
				if n := len(page.saw("connected")); n != 1 {
					t.Errorf("%s connected %d times\n%s", page.label, n, page.story())
				}
			}
			hub.Kill()
			hub.Restart()
			p.publish(5)
			awaitAll(pages, p)
			settled(pages)
		})
	}
}

// startProxy starts a program before the hub, with its configuration, and
// returns its address. The test ends it.
func startProxy(t testing.TB, name, config, hub string, args []string) string {
	t.Helper()
	port := freePort(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config"), fmt.Appendf(nil, config, port, hub), 0o600); err != nil {
		t.Fatal(err)
	}
	if name == "nginx" && os.Geteuid() == 0 { // its workers' user may not enter the test's folder
		args = append([]string{"-g", "user root;"}, args...)
	}
	said := hubtest.Beside(t, dir, name, append(args, "config")...)
	at := fmt.Sprintf("127.0.0.1:%d", port)
	within(t, name+" listens", func() bool {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			return false
		}
		conn.Close()
		return !strings.Contains(said.String(), "emerg")
	})
	return at
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
