package streams

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRedisAnswers: which answers say for certain that nothing was done.
func TestRedisAnswers(t *testing.T) {
	for text, refusedSo := range map[string]bool{
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.": true,
		"CLUSTERDOWN The cluster is down":                             true,
		"CROSSSLOT Keys in request don't hash to the same slot":       true,
		"DENIED Redis is running in protected mode":                   true,
		"EXECABORT Transaction discarded because of previous errors.": true,
		"LOADING Redis is loading the dataset in memory":              true,
		"MASTERDOWN Link with MASTER is down":                         true,
		"MISCONF Redis is configured to save RDB snapshots":           true,
		"MOVED 3999 127.0.0.1:6381":                                   true,
		"ASK 3999 127.0.0.1:6381":                                     true,
		"TRYAGAIN Multiple keys request during rehashing of slot":     true,
		"NOAUTH Authentication required.":                             true,
		"NOPERM this user has no permissions":                         true,
		"NOREPLICAS Not enough good replicas to write.":               true,
		"NOSCRIPT No matching script.":                                true,
		"OOM command not allowed when used memory > 'maxmemory'.":     true,
		"READONLY You can't write against a read only replica.":       true,
		"WRONGPASS invalid username-password pair":                    true,
		"WRONGTYPE Operation against a key":                           true,
		"ERR unknown command 'evalsha', with args beginning with: ":   true,
		"ERR max number of clients reached":                           true,
		"ERR DB index is out of range":                                true,
		"ERR Protocol error: unauthenticated multibulk length":        true,
		"REFUSED OOM command not allowed":                             true,
		"REFUSED the stream holds an ID beyond all bounds":            true,
		"ERR Error running script (call to f_12): @user_script:46: @user_script: 46: -OOM command not allowed when used memory > 'maxmemory'.": true,

		// What came after a write, or from something on the way.
		"ERR OOM command not allowed":        false,
		"ERR WRONGTYPE Operation against":    false,
		"ERR upstream failure":               false,
		"ERR Connection timed out":           false,
		"ERR Error running script (call to)": false,
		"ERR unknown":                        false,
		"":                                   false,
		"ERR The user executing the script can't run this command or subcommand script: 12, on @user_script:118.": false,
	} {
		for _, err := range []error{replyText(text), fmt.Errorf("failed to authenticate: %w", replyText(text))} {
			if refused(err) != refusedSo {
				t.Errorf("%q: %v", text, !refusedSo)
			}
		}
	}
	for _, err := range []error{io.EOF, errors.New("OOM"), nil} {
		if refused(err) {
			t.Errorf("%v is no answer", err)
		}
	}
}

// TestRehearsalIsWhole: what scripts and the hub itself call is tried before it is
// needed, but for INFO, which only helps, and what is tried by itself at once: WAIT
// and SUBSCRIBE.
func TestRehearsalIsWhole(t *testing.T) {
	files, err := filepath.Glob("redis_*.go")
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	command := regexp.MustCompile(`redis\.p?call\('([A-Z]+)'|\b(?:pipe|p|c|client)\.(?:Do\(ctx, "([a-z]+)"|([A-Z]\w+)\(ctx)`)
	exempt := []string{"INFO", "WAIT", "SUBSCRIBE", "EXEC"} // the last is the library's pipeline
	rehearsed := ""
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file == "redis_connect.go" {
			rehearsed = string(b)
		}
		for _, m := range command.FindAllStringSubmatch(string(b), -1) {
			called[strings.ToUpper(m[1]+m[2]+m[3])] = true
		}
	}
	for name := range called {
		if !strings.Contains(rehearsed, "{'"+name+"'") && !slices.Contains(exempt, name) {
			t.Errorf("%s is called, and not rehearsed", name)
		}
	}
	if len(called) < 10 {
		t.Errorf("%d commands are called", len(called))
	}
}
