//go:build linux

package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Keys of the hub under test: it checks tokens and API keys as it would
// anywhere.
const (
	jwtSecret = "a secret of the load generator, 32 bytes and more"
	apiKey    = "a-key-of-the-load-generator"
)

var listensOn = regexp.MustCompile(`http://(127\.0\.0\.1:\d+)`)

// startRunnel starts the hub with one configuration for all scenarios: limits
// raised in number, history long enough for the longest stall.
func startRunnel(b *bench, v variant) (*hub, error) {
	h := &hub{paths: endpoints{
		sse: "/channels/{channel}/events", ws: "/channels/{channel}/ws",
		publish: "/channels/{channel}/events", batch: "/events",
		subscribeHead: bearer, publishHead: "Authorization: Bearer " + apiKey + "\r\n",
		contentType: "application/json",
	}}
	store := "memory:"
	switch v.Store {
	case "bolt":
		store = "bolt:" + filepath.Join(b.fresh("bolt"), "runnel.db")
	case "redis":
		redis, err := startRedis(b)
		if err != nil {
			return nil, err
		}
		h.redis = redis
		store = "redis://" + redis.address
	}
	if err := h.runRunnel(b, store); err != nil {
		h.stop()
		return nil, err
	}
	return h, nil
}

// runRunnel starts the process and sets how it is stopped and started again.
func (h *hub) runRunnel(b *bench, store string) error {
	h.stop = h.stopRedis
	program, err := b.build()
	if err != nil {
		return err
	}
	env := []string{"RUNNEL_JWT_SECRET=" + jwtSecret, "RUNNEL_API_KEY=" + apiKey}
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--store", store,
		"--max-connections-per-ip", "0", "--max-connections-per-user", "0", "--history", "10000"}, b.RunnelFlag...)
	s, err := launch(b.dir, program, env, syscall.SIGKILL, args...)
	if err != nil {
		return err
	}
	h.stop = func() { s.stop(syscall.SIGKILL); h.stopRedis() }
	h.processes = processes{s.cmd.Process.Pid}
	if store != "memory:" {
		h.restart = func() error { s.stop(syscall.SIGKILL); return h.runRunnel(b, store) }
	}
	if err := s.await(func(output []byte) bool { return listensOn.Match(output) }); err != nil {
		return err
	}
	output := readAll(s.log)
	h.paths.host = ""
	if err := h.at(string(listensOn.FindSubmatch(output)[1])); err != nil {
		return err
	}
	return s.await(func([]byte) bool { return isReady("http://" + h.paths.host + "/readyz") })
}

func (h *hub) stopRedis() {
	if h.redis != nil {
		h.redis.stop()
	}
}

// asking has no kept-alive connections, which would count as the hub's.
var asking = http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func isReady(url string) bool {
	answer, err := asking.Get(url)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// bearer is the line with a token of the subscriber's own: as many users as
// connections.
func bearer(subscriber int) string {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub":    fmt.Sprintf("user-%d", subscriber),
		"exp":    time.Now().Add(24 * time.Hour).Unix(),
		"runnel": map[string]any{"subscribe": []string{"bench:*"}},
	}).SignedString([]byte(jwtSecret))
	if err != nil {
		panic(err) // HMAC over a string does not fail
	}
	return "Authorization: Bearer " + token + "\r\n"
}
