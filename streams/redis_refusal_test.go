package streams_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"runnel/hubtest"
	"runnel/streams"
	"runnel/streams/streamstest"
)

// operate sends a command to the server, as its operator.
func operate(t *testing.T, operator *redis.Client, line string) {
	t.Helper()
	var args []any
	for word := range strings.FieldsSeq(line) {
		args = append(args, word)
	}
	if err := operator.Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
}

// calls are all that a log asks a Redis for, each by its name.
func calls(ctx context.Context, log *streams.Redis) map[string]error {
	_, append1 := log.Append(ctx, "a", aDay, []streams.Draft{text("1")})
	_, appendKey := log.Append(ctx, "a", aDay, []streams.Draft{{Data: []byte("2"), Key: "k", Ephemeral: true}})
	share := &streams.Share{Channel: "a", Drafts: []streams.Draft{text("1"), text("2")}}
	log.AppendShares(ctx, []*streams.Share{share}, func(string) streams.Retention { return aDay })
	_, heads := log.Heads(ctx, []string{"a", "b"})
	_, page := log.Range(ctx, "a", everything)
	_, record := log.Record(ctx, "r")
	_, swap := log.SwapRecord(ctx, "r", nil, []byte("v"), time.Minute)
	return map[string]error{"append": append1, "append with a key": appendKey, "shares": share.Err,
		"heads": heads, "range": page, "record": record, "swap": swap}
}

// wantRefusal checks that an error says that nothing was done, and why.
func wantRefusal(t *testing.T, what string, err error, server *streamstest.RedisServer, says string) {
	t.Helper()
	want := "the Redis at " + server.Addr + " " + says
	if !errors.Is(err, streams.ErrUnavailable) || errors.Is(err, streams.ErrUnknownOutcome) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
	if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "%!")) {
		t.Errorf("%s: %v", what, err)
	}
}

// redisRefusal is a way in which a server refuses a hub from the first.
type redisRefusal struct {
	name string
	args []string // of the server
	do   string   // by its operator, first
	user string   // in the URL
	db   string
	says string
	mend string // by its operator, then
}

var redisRefusals = []redisRefusal{
	{name: "a wrong password", args: []string{"--requirepass", "right"}, user: ":s3cret@", says: "refuses the password", mend: "CONFIG SET requirepass s3cret"},
	{name: "an unknown user", user: "nobody:s3cret@", says: "refuses the password", mend: "ACL SETUSER nobody on >s3cret ~* &* +@all"},
	{name: "no password", args: []string{"--requirepass", "right"}, says: "wants a password", mend: "ACL SETUSER default on nopass ~* &* +@all"},
	{name: "no scripts", do: "ACL SETUSER hub on >s3cret ~* &* +@all -evalsha", user: "hub:s3cret@", says: "does not let this user do what the hub needs", mend: "ACL SETUSER hub +@all"},
	{name: "no new scripts", do: "ACL SETUSER hub on >s3cret ~* &* +@all -eval", user: "hub:s3cret@", says: "does not let this user do what the hub needs", mend: "ACL SETUSER hub +@all"},
	{name: "commands of scripts", do: "ACL SETUSER hub on >s3cret ~* &* +@all -xadd -pexpire -xinfo|stream", user: "hub:s3cret@", says: "refuses commands that the hub needs: PEXPIRE, XADD, XINFO", mend: "ACL SETUSER hub +@all"},
	{name: "commands of lists", do: "ACL SETUSER hub on >s3cret ~* &* +@all -scan -xlen", user: "hub:s3cret@", says: "refuses commands that the hub needs: XLEN, SCAN", mend: "ACL SETUSER hub +@all"},
	{name: "other keys", do: "ACL SETUSER hub on >s3cret ~other:* &* +@all", user: "hub:s3cret@", says: "does not let this user do what the hub needs", mend: "ACL SETUSER hub ~runnel:*"},
	{name: "no other database", do: "ACL SETUSER hub on >s3cret ~* &* +@all -select", user: "hub:s3cret@", db: "/1", says: "does not let this user do what the hub needs", mend: "ACL SETUSER hub +@all"},
	{name: "no such database", db: "/77", says: "does not have this database"},
	{name: "EVALSHA by another name", args: []string{"--rename-command", "EVALSHA", "x1"}, says: "does not have a command that the hub needs (ERR unknown command 'evalsha')"},
	{name: "EVAL by another name", args: []string{"--rename-command", "EVAL", "x1"}, says: "does not have a command that the hub needs (ERR unknown command 'eval')"},
	{name: "commands of scripts by another name", args: []string{"--rename-command", "PEXPIRE", "x1", "--rename-command", "GETEX", ""}, says: "refuses commands that the hub needs: GETEX, PEXPIRE"},
	{name: "a cluster", args: []string{"--cluster-enabled", "yes"}, do: "CLUSTER ADDSLOTSRANGE 0 16383", says: "is a cluster, and redis:// is for one server"},
	{name: "a cluster without slots", args: []string{"--cluster-enabled", "yes"}, says: "is a cluster, and redis:// is for one server"},
	{name: "no room for clients", args: []string{"--maxclients", "1"}, says: "takes no more clients", mend: "CONFIG SET maxclients 100"},
}

// TestRedisRefusals: a server that does not let the hub do what it needs has
// certainly done nothing, says so in words that lead to the setting, and in
// the log once. Once it does, all goes on by itself.
func TestRedisRefusals(t *testing.T) {
	for _, c := range redisRefusals {
		t.Run(c.name, func(t *testing.T) { testRedisRefusal(t, c) })
	}
}

func testRedisRefusal(t *testing.T, c redisRefusal) {
	server := streamstest.StartRedis(t, c.args...)
	operator := plainClient(t, server)
	if slices.Contains(c.args, "--requirepass") {
		operator.Options().Password = "right"
	}
	operate(t, operator, cmp.Or(c.do, "PING"))
	var lines hubtest.Output
	log := openRedisWith(t, streams.RedisOptions{
		URL:    "redis://" + c.user + server.Addr + c.db,
		Logger: slog.New(slog.NewTextHandler(&lines, nil)),
	})
	ear := listenAnyway(t, log, "a")
	for range 3 {
		for name, err := range calls(t.Context(), log) {
			wantRefusal(t, name, err, server, c.says)
		}
	}
	within(t, "who subscribes to be told", func() bool {
		select {
		case <-log.Away():
			return true
		default:
			return false
		}
	})
	said := lines.String()
	if n := strings.Count(said, "the Redis cannot be followed; trying again"); n != 1 || strings.Contains(said, "lost") || strings.Contains(said, "following") || !strings.Contains(said, c.says) || strings.Contains(said, "s3cret") {
		t.Errorf("%d lines: %s", n, said)
	}
	if c.mend == "" {
		return
	}
	operate(t, operator, c.mend)
	within(t, "the hub to follow", func() bool { return ear.times() > 0 })
	add(t, log, "a", text("1"))
	within(t, "the event", func() bool { return ear.count() > 0 })
	if page := read(t, log, "a", everything); len(page.Events) != 1 {
		t.Errorf("of what was refused something is there: %d events", len(page.Events))
	}
	if said := lines.String(); strings.Count(said, "following the Redis") != 1 || strings.Contains(said, "again\n") || log.Reconnects() != 0 {
		t.Errorf("%d reconnects: %s", log.Reconnects(), said)
	}
}

// laterRefusal is a way in which a server refuses a hub that it has served.
type laterRefusal struct {
	name, says string
	args       []string
	begin, end func(t *testing.T, operator *redis.Client)
	reads      bool // still possible
}

var laterRefusals = []laterRefusal{
	{"full", "is full: its maxmemory is reached", nil, config("maxmemory 1"), config("maxmemory 0"), true},
	{"too few replicas", "takes no writes, for too few of its replicas are there", nil, config("min-replicas-to-write 1"), config("min-replicas-to-write 0"), true},
	{"a replica", "is a replica and takes no writes", nil, func(t *testing.T, operator *redis.Client) {
		operate(t, operator, "REPLICAOF 127.0.0.1 1")
	}, func(t *testing.T, operator *redis.Client) { operate(t, operator, "REPLICAOF NO ONE") }, false},
	{"a replica without its master", "is a replica", nil, func(t *testing.T, operator *redis.Client) {
		operate(t, operator, "CONFIG SET replica-serve-stale-data no")
		operate(t, operator, "REPLICAOF 127.0.0.1 1")
	}, func(t *testing.T, operator *redis.Client) { operate(t, operator, "REPLICAOF NO ONE") }, false},
	{"a disk that cannot be saved to", "takes no writes, for it cannot save to its disk", []string{"--save", "3600 1000000", "--enable-protected-configs", "yes"}, func(t *testing.T, operator *redis.Client) {
		operate(t, operator, "CONFIG SET dbfilename "+strings.Repeat("x", 300))
		operate(t, operator, "BGSAVE")
		within(t, "the save to fail", func() bool {
			return strings.Contains(operator.Info(t.Context(), "persistence").Val(), "rdb_last_bgsave_status:err")
		})
	}, config("stop-writes-on-bgsave-error no"), true},
	{"busy", "is busy with somebody's script", nil, func(t *testing.T, operator *redis.Client) {
		operate(t, operator, "CONFIG SET busy-reply-threshold 1")
		done := make(chan struct{})
		go func() {
			defer close(done)
			operator.Eval(context.Background(), "while true do end", nil)
		}()
		t.Cleanup(func() { <-done })
		within(t, "the server to be busy", func() bool {
			err := operator.Ping(t.Context()).Err()
			return err != nil && strings.HasPrefix(err.Error(), "BUSY")
		})
	}, func(t *testing.T, operator *redis.Client) { operate(t, operator, "SCRIPT KILL") }, false},
}

// TestRedisRefusesLater: the same of a server that has served the hub.
func TestRedisRefusesLater(t *testing.T) {
	for _, c := range laterRefusals {
		t.Run(c.name, func(t *testing.T) { testLaterRefusal(t, c) })
	}
}

func testLaterRefusal(t *testing.T, c laterRefusal) {
	server := streamstest.StartRedis(t, c.args...)
	log, operator := openRedis(t, server), plainClient(t, server)
	add(t, log, "a", text("before"))
	c.begin(t, operator)
	for name, err := range calls(t.Context(), log) {
		reads := name == "heads" || name == "range" || name == "record"
		if reads && (c.reads || err == nil) { // a stale record is as good as none
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		wantRefusal(t, name, err, server, c.says)
	}
	c.end(t, operator)
	within(t, "writes", func() bool {
		_, err := log.Append(t.Context(), "b", aDay, []streams.Draft{text("x")})
		return err == nil
	})
	if page := read(t, log, "a", everything); len(page.Events) > 1 {
		t.Errorf("of what was refused something is there: %d events", len(page.Events))
	}
}

func config(setting string) func(*testing.T, *redis.Client) {
	return func(t *testing.T, operator *redis.Client) { operate(t, operator, "CONFIG SET "+setting) }
}

// TestRedisUserTakenAway: lost and again are said where it was so.
func TestRedisUserTakenAway(t *testing.T) {
	server := streamstest.StartRedis(t)
	operator := plainClient(t, server)
	const user = "ACL SETUSER hub on >s3cret ~* &* +@all"
	operate(t, operator, user)
	var lines hubtest.Output
	log := openRedisWith(t, streams.RedisOptions{URL: "redis://hub:s3cret@" + server.Addr, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	ear := listen(t, log, "a")
	add(t, log, "a", text("1"))
	if said := lines.String(); said != "" {
		t.Error(said)
	}
	operate(t, operator, "ACL DELUSER hub")
	within(t, "the refusal", func() bool { return strings.Contains(lines.String(), "cannot be followed") })
	within(t, "appends to be refused", func() bool {
		_, err := log.Append(t.Context(), "a", aDay, []streams.Draft{text("2")})
		return err != nil && strings.Contains(err.Error(), "refuses the password")
	})
	resyncs := ear.times()
	operate(t, operator, user)
	within(t, "another Resync", func() bool { return ear.times() > resyncs })
	said := lines.String()
	for line, n := range map[string]int{
		"lost the Redis that is followed; trying again": 1, "the Redis cannot be followed; trying again": 1, "following the Redis again": 1,
	} {
		if strings.Count(said, line) != n {
			t.Errorf("%q is not said %d times: %s", line, n, said)
		}
	}
	if log.Reconnects() != 1 {
		t.Errorf("%d reconnects", log.Reconnects())
	}
}

// TestRedisLoading: a server that loads has done nothing, and is waited for.
func TestRedisLoading(t *testing.T) {
	master, server := streamstest.StartRedis(t, "--repl-diskless-sync-delay", "0"), streamstest.StartRedis(t)
	operator, other := plainClient(t, server), plainClient(t, master)
	_, err := other.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i := range 3000 { // half a minute
			p.Set(t.Context(), fmt.Sprint(i), strings.Repeat("x", 2<<10), 0)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	log := openRedis(t, server)
	add(t, log, "a", text("before"))
	operate(t, operator, "CONFIG SET key-load-delay 10000 loading-process-events-interval-bytes 1024")
	host, port, _ := strings.Cut(master.Addr, ":")
	operate(t, operator, "REPLICAOF "+host+" "+port)
	within(t, "the server to load", func() bool {
		_, err := log.Append(t.Context(), "a", aDay, []streams.Draft{text("1")})
		return errors.Is(err, streams.ErrUnavailable) && strings.Contains(err.Error(), "is loading what it has saved")
	})
	fresh := openRedis(t, server)
	for name, err := range calls(t.Context(), fresh) {
		says := "is loading what it has saved"
		if name == "heads" { // asks first whether it is a master
			says = "is a replica and takes no writes"
		}
		wantRefusal(t, name, err, server, says)
	}
}

// A key of another kind where an idempotency key belongs stops what stands
// before it, too; what was written then is not called refused.
func TestRedisKeyOfAnotherKind(t *testing.T) {
	server := streamstest.StartRedis(t)
	log, plain := openRedis(t, server), plainClient(t, server)
	keyed := streams.Draft{Data: []byte("1"), Key: "k"}
	if _, err := log.Append(t.Context(), "a", aDay, []streams.Draft{keyed}); err != nil {
		t.Fatal(err)
	}
	keys, err := plain.Keys(t.Context(), "runnel:{a}:key:*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	plain.Del(t.Context(), keys[0])
	plain.HSet(t.Context(), keys[0], "by", "hand")
	_, err = log.Append(t.Context(), "a", aDay, []streams.Draft{keyed})
	wantRefusal(t, "alone", err, server, "has a key of another kind")
	if _, err = log.Append(t.Context(), "a", aDay, []streams.Draft{text("2"), keyed}); !errors.Is(err, streams.ErrUnknownOutcome) {
		t.Errorf("behind an event: %v", err)
	}
}

// TestRedisSocket: a Redis on the same machine need not listen to the network.
func TestRedisSocket(t *testing.T) {
	socket := t.TempDir() + "/redis.sock"
	server := streamstest.StartRedis(t, "--unixsocket", socket)
	log := openRedisWith(t, streams.RedisOptions{URL: "redis+unix://" + socket + "?db=1"})
	ear := listen(t, log, "a")
	add(t, log, "a", text("1"))
	within(t, "the event", func() bool { return ear.count() == 1 })
	if n := plainClient(t, server).DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys in database 0", n)
	}
	operate(t, plainClient(t, server), "CONFIG SET requirepass right")
	refused := openRedisWith(t, streams.RedisOptions{URL: "redis+unix://:s3cret@" + socket})
	_, err := refused.Append(t.Context(), "a", aDay, []streams.Draft{text("1")})
	if !errors.Is(err, streams.ErrUnavailable) || !strings.Contains(err.Error(), "the Redis at "+socket+" refuses the password") {
		t.Error(err)
	}
}
