package streams

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// RedisOptions say where the Redis is and how long to wait for it.
type RedisOptions struct {
	// URL is redis://user:password@host:port/db, rediss:// for TLS, or
	// redis+unix://user:password@/path?db=1 for a socket. User, password, port
	// (6379) and db (0) may be left out.
	URL string

	// PoolSize is how many reads go on at once; a further one waits for its
	// turn. Default 16. Appends and following have connections of their own.
	PoolSize int

	// Replicas is how many have to have an event, beside the master, before
	// Append returns; that is waited for as long as half of ReadTimeout, after
	// which the outcome is ErrUnknownOutcome. Default 0. Followers may hear of
	// the event before.
	Replicas int

	DialTimeout  time.Duration // default 3 s
	ReadTimeout  time.Duration // for one answer; default 3 s
	WriteTimeout time.Duration // default 3 s

	Logger *slog.Logger // default slog.Default()
}

// Redis is the log that any number of nodes share: one Stream per channel on a
// Redis 6.2 or newer. It acknowledges what the Redis master has taken, and as
// many replicas as asked for; what that survives is up to the server's
// persistence and replication.
//
// Nodes hear of events through Redis's pub/sub. A message can be lost with its
// connection, which the follower is told by a Resync, but never comes before
// the event is in the stream.
type Redis struct {
	client   *redis.Client
	options  *redis.Options
	replicas int // that are waited for
	dial     dialer
	logger   *slog.Logger

	queues  []chan *redisAppend // one per sender
	senders sync.WaitGroup

	followed   redisFollowed
	following  sync.WaitGroup
	stop       context.CancelFunc // ends following
	reconnects atomic.Uint64

	accepted atomic.Bool // the server does what the hub needs
	reign    reign
	damaged  atomic.Bool // it was said that what is known of forks is

	mu     sync.RWMutex // guards closed, and calls against Close
	closed bool
	calls  sync.WaitGroup // calls of methods under way
	close  sync.Once
}

var (
	_ Log    = (*Redis)(nil)
	_ Forker = (*Redis)(nil)
	_ sharer = (*Redis)(nil)
)

// OpenRedis returns the log at the URL. It fails for a wrong URL only: a Redis
// that is away is waited for, and calls return ErrUnavailable meanwhile. The
// log is to be closed.
func OpenRedis(o RedisOptions) (*Redis, error) {
	options, err := redisOptions(o)
	if err != nil {
		return nil, err
	}
	quietRedis()
	r := &Redis{options: options, replicas: o.Replicas, logger: o.Logger, dial: redis.NewDialer(options)}
	if r.logger == nil {
		r.logger = slog.Default()
	}
	options.OnConnect = r.connected
	options.Dialer = r.dial.orFail
	r.client = redis.NewClient(options)
	r.client.AddHook(helloHook{r})
	r.startSenders()
	r.startFollowing()
	return r, nil
}

// Close implements [Log]: appends and reads under way finish, which takes no
// longer than the time-outs.
func (r *Redis) Close() error {
	var err error
	r.close.Do(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.calls.Wait()
		r.stopSenders()
		r.stop()
		r.following.Wait()
		err = r.client.Close()
	})
	return err
}

// enter counts a call; false means that the log has been closed. The caller
// has to call r.calls.Done.
func (r *Redis) enter() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.closed {
		r.calls.Add(1)
	}
	return !r.closed
}

func redisOptions(o RedisOptions) (*redis.Options, error) {
	options, err := parseRedisURL(o.URL)
	if err != nil {
		return nil, err
	}
	options.PoolSize = cmp.Or(o.PoolSize, options.PoolSize, 16)
	options.DialTimeout = cmp.Or(o.DialTimeout, options.DialTimeout, 3*time.Second)
	options.ReadTimeout = cmp.Or(o.ReadTimeout, options.ReadTimeout, 3*time.Second)
	options.WriteTimeout = cmp.Or(o.WriteTimeout, options.WriteTimeout, 3*time.Second)
	options.PipelinePoolSize = redisSenders + 1 // and looks at many heads, which appends do not wait for
	options.ContextTimeoutEnabled = true

	// A script whose answer was lost must not run again, and the library's own
	// patience would only hide from callers that the Redis is away.
	options.MaxRetries = -1
	options.DialerRetries = 1

	// RESP3 brings nothing that is used here, and the rest are questions that a
	// plain Redis answers with errors.
	options.Protocol = 2
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return options, nil
}

// parseRedisURL reads the URL. Its errors never show it: it holds a password.
func parseRedisURL(text string) (*redis.Options, error) {
	scheme, _, _ := strings.Cut(text, "://")
	switch scheme {
	case "redis", "rediss":
	case "redis+unix":
		text = strings.TrimPrefix(text, "redis+") // as the library knows it
	case "redis+sentinel", "redis+cluster":
		return nil, fmt.Errorf("%s:// is not supported yet; use redis://, rediss:// or redis+unix://", scheme)
	default:
		return nil, errors.New("a Redis URL begins with redis://, rediss:// or redis+unix://")
	}
	options, err := redis.ParseURL(text)
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if err != nil {
		return nil, fmt.Errorf("the Redis URL is wrong: %w", err)
	}
	return options, nil
}

// redisKeys names what belongs to a channel. All keys of a channel share its
// hash tag and so, on a cluster, a node.
type redisKeys string

func (k redisKeys) log() string  { return "runnel:{" + string(k) + "}:log" }
func (k redisKeys) head() string { return "runnel:{" + string(k) + "}:head" }
func (k redisKeys) fork() string { return "runnel:{" + string(k) + "}:fork" }
func (k redisKeys) live() string { return "runnel:{" + string(k) + "}:live" }

// base is the head of all channels that never had an event: one key, so that
// whatever names are read leave nothing behind. On a cluster it has to carry a
// hash tag of the channel's slot, and there is one per slot.
func (redisKeys) base() string { return "runnel:base" }

func (k redisKeys) key(hash string) string { return "runnel:{" + string(k) + "}:key:" + hash }

// quietRedis keeps the library from writing to standard error; what it has to
// say, callers learn from errors.
var quietRedis = sync.OnceFunc(func() { redis.SetLogger(redisLogger{}) })

type redisLogger struct{}

func (redisLogger) Printf(ctx context.Context, format string, v ...any) {
	if slog.Default().Enabled(ctx, slog.LevelDebug) {
		slog.DebugContext(ctx, fmt.Sprintf(format, v...))
	}
}
