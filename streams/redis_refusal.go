package streams

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// refusal is a server's answer that it did not do something, in words for the
// operator, who can mostly change that.
type refusal struct {
	server string // where it is
	says   string // what follows "the Redis at …"
	reply  error  // its own words; nil where there are none
}

func (r *refusal) Error() string {
	if r.reply == nil {
		return fmt.Sprintf("the Redis at %s %s", r.server, r.says)
	}
	return fmt.Sprintf("the Redis at %s %s (%s)", r.server, r.says, withoutArguments(r.reply.Error()))
}

func (r *refusal) Unwrap() error { return r.reply }

// withoutArguments leaves out what a server quotes of a command: it may be what
// somebody published.
func withoutArguments(text string) string {
	text, _, _ = strings.Cut(text, ", with args beginning with")
	return text
}

const isReplica = "is a replica and takes no writes"

const isCluster = "is a cluster, and redis:// is for one server; redis+cluster:// is not supported yet"

// refusals are the answers of a server that has done nothing: it looked at
// the command, at itself, or at who asks, and ran nothing.
var refusals = []struct {
	code, rest string // the answer's first word, and what follows begins with
	says       string
}{
	{"WRONGPASS", "", "refuses the password"},
	{"NOAUTH", "", "wants a password"},
	{"ERR", "Protocol error: unauthenticated", "wants a password"},
	{"ERR", "AUTH <password> called without any password configured", "has no password, and one is given"},
	{"DENIED", "", "is in protected mode: without a password it serves its own machine only"},
	{"NOPERM", "", "does not let this user do what the hub needs"},
	{"ERR", "unknown command", "does not have a command that the hub needs"},
	{"ERR", "max number of clients reached", "takes no more clients: its maxclients is reached"},
	{"ERR", "DB index is out of range", "does not have this database"},
	{"ERR", "invalid DB index", "does not have this database"},
	{"OOM", "", "is full: its maxmemory is reached"},
	{"MISCONF", "", "takes no writes, for it cannot save to its disk"},
	{"NOREPLICAS", "", "takes no writes, for too few of its replicas are there"},
	{"READONLY", "", isReplica},
	{"MASTERDOWN", "", "is a replica that has lost its master"},
	{"LOADING", "", "is loading what it has saved"},
	{"BUSY", "", "is busy with somebody's script"},
	{"WRONGTYPE", "", "has a key of another kind where one of the hub's belongs"},
	{"EXECABORT", "", "refuses a transaction"},
	{"NOSCRIPT", "", "forgets scripts at once"},
	{"ERR", "SELECT is not allowed in cluster mode", isCluster},
	{"CLUSTERDOWN", "", isCluster},
	{"CROSSSLOT", "", isCluster},
	{"MOVED", "", isCluster},
	{"ASK", "", isCluster},
	{"TRYAGAIN", "", isCluster},
	// The append script's own: what stopped it, before it wrote anything.
	{"REFUSED", "", "refuses an event"},
}

// named puts a server's refusal into words. Other errors stay as they are.
func (r *Redis) named(err error) error {
	var already *refusal
	code, rest := answer(err)
	if code == "" || errors.As(err, &already) {
		return err
	}
	if code == "REFUSED" {
		if of, after, _ := strings.Cut(rest, " "); saysOf(of, after) != "" {
			code, rest = of, after
		}
	}
	says := saysOf(code, rest)
	if says == "" {
		return err
	}
	return &refusal{r.options.Addr, says, redisReply(err)}
}

func saysOf(code, rest string) string {
	for _, known := range refusals {
		if known.code == code && strings.HasPrefix(rest, known.rest) {
			return known.says
		}
	}
	return ""
}

// unavailable is for what the server certainly did not do.
func (r *Redis) unavailable(err error) error {
	err = r.named(err)
	if refused := (*refusal)(nil); errors.As(err, &refused) && refused.says == isReplica {
		r.reign.unsure.Store(true)
	}
	return unavailable(err)
}

// refused reports whether the server's answer says that it did nothing.
func refused(err error) bool { return saysOf(answer(err)) != "" }

// noWrites reports whether the server's answer says that it can be read and
// takes no writes for now.
func noWrites(err error) bool {
	code, _ := answer(err)
	return slices.Contains([]string{"MISCONF", "NOREPLICAS", "OOM"}, code)
}

// wrongType reports whether somebody put another kind of key where one of the
// hub's belongs.
func wrongType(err error) bool {
	code, _ := answer(err)
	return code == "WRONGTYPE"
}

// unwanted reports whether it is the connection that the server does not want.
func unwanted(err error) bool {
	code, rest := answer(err)
	return code == "DENIED" || code == "ERR" && strings.HasPrefix(rest, "max number of clients reached")
}

// forbidden reports whether the answer says that a command, or what it is for,
// is not for this user, or for nobody.
func forbidden(err error) bool {
	code, rest := answer(err)
	if code == "NOPERM" {
		return true
	}
	return code == "ERR" && slices.ContainsFunc([]string{
		"unknown command", "Unknown Redis command called from script", "The user executing the script can't run this command",
	}, func(begin string) bool { return strings.HasPrefix(rest, begin) })
}

// redisReply is the server's answer in the error, nil for other errors.
func redisReply(err error) error {
	var reply redis.Error
	if errors.As(err, &reply) {
		return reply
	}
	return nil
}

// answer parts the server's answer after its first word; both are "" for
// other errors. Redis 6 wraps what a script met in a sentence of its own.
func answer(err error) (code, rest string) {
	reply := redisReply(err)
	if reply == nil {
		return "", ""
	}
	text := reply.Error()
	if _, inner, ok := strings.Cut(text, ": -"); ok {
		text = inner
	}
	code, rest, _ = strings.Cut(strings.TrimPrefix(text, "-"), " ")
	return code, rest
}
