//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// nchanModule is where Debian puts libnginx-mod-nchan, for its /usr/sbin/nginx.
const nchanModule = "/usr/lib/nginx/modules/ngx_nchan_module.so"

// nchanConf is nginx as one would run it for this: a worker per core, all
// messages of a run kept, no access log. The backlog is the one that Go
// listens with, so that a storm of connects costs nobody a retransmission.
const nchanConf = `load_module ` + nchanModule + `;
daemon off;
user root;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_processes auto;
worker_rlimit_nofile 20000;
events { worker_connections 19000; }
http {
	access_log off;
	keepalive_timeout 1h;
	keepalive_requests 1000000000;
	client_body_temp_path {dir}/body;
	proxy_temp_path {dir}/proxy;
	fastcgi_temp_path {dir}/fastcgi;
	uwsgi_temp_path {dir}/uwsgi;
	scgi_temp_path {dir}/scgi;
	nchan_shared_memory_size 1024m;
	server {
		listen {address} backlog=4096;
		location ~ ^/pub/(.+)$ {
			nchan_publisher http;
			nchan_channel_id $1;
			nchan_message_buffer_length 10000;
			nchan_message_timeout 1h;
		}
		location ~ ^/sub/(.+)$ {
			nchan_subscriber eventsource websocket;
			nchan_channel_id $1;
			nchan_subscriber_first_message newest;
			nchan_subscriber_last_message_id $http_last_event_id $arg_last_event_id;
		}
	}
}
`

// startNchan starts nginx with the nchan module.
func startNchan(b *bench, _ variant) (*hub, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir := b.fresh("nchan")
	h := &hub{lag: foreignLag, paths: endpoints{
		sse: "/sub/{channel}", ws: "/sub/{channel}",
		publish: "/pub/{channel}", contentType: "application/json",
	}}
	if err := h.at(fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := strings.NewReplacer("{dir}", dir, "{address}", h.paths.host).Replace(nchanConf)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	// Killed, the master would leave its workers behind.
	s, err := launch(dir, "/usr/sbin/nginx", nil, syscall.SIGTERM, "-c", conf, "-p", dir)
	if err != nil {
		return nil, err
	}
	h.stop = func() { s.stop(syscall.SIGTERM) }
	h.processes = processes{s.cmd.Process.Pid}
	if err := s.await(func([]byte) bool { return accepts(h.paths.host) }); err != nil {
		h.stop()
		return nil, err
	}
	return h, nil
}

func accepts(address string) bool {
	conn, err := net.Dial("tcp4", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
