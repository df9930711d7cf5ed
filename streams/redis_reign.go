package streams

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// reign names the time for which a server has been the master: a server that
// starts, or that was a replica, begins another one, and may lack what the one
// before it had. A channel's head has that of its last event, so that the first
// event of another reign is a fork, noted in the step that stores it, whether a
// node was there to see what was lost or not. Where nothing was, it says nothing:
// there is no ID between two neighbours.
//
// It is an argument of scripts, which the library asks for when it writes them
// to a connection. Each connection has asked the server before, so that none
// brings the name of an earlier reign.
type reign struct {
	name   atomic.Pointer[[]byte]
	unsure atomic.Bool // the server said that it is a replica, and may be none any more
}

// unnamedReign is for servers that do not say. It has no blank in it, and is no name.
var unnamedReign = []byte("-")

// reignLength is how much of a name is kept: one in 16 million failovers goes by
// the name of the one before.
const reignLength = 6

// MarshalBinary implements [encoding.BinaryMarshaler].
func (g *reign) MarshalBinary() ([]byte, error) {
	if name := g.name.Load(); name != nil {
		return *name, nil
	}
	return unnamedReign, nil
}

// connected runs on every new connection before that is used.
func (r *Redis) connected(ctx context.Context, c *redis.Conn) error {
	if err := r.accept(ctx, c); err != nil {
		return err
	}
	return r.askReign(ctx, c)
}

// makeSureOfReign asks again where the server was a replica when it answered last.
func (r *Redis) makeSureOfReign(ctx context.Context) {
	if r.reign.unsure.Load() {
		_ = r.askReign(ctx, r.client)
	}
}

// askReign asks the server, which may refuse to tell.
func (r *Redis) askReign(ctx context.Context, c interface {
	Info(ctx context.Context, section ...string) *redis.StringCmd
}) error {
	info, err := c.Info(ctx, "replication").Result()
	if err != nil {
		if redisReply(err) != nil {
			err = nil // as while a script of somebody's runs too long
		}
		return err
	}
	r.reign.unsure.Store(infoField(info, "role") == "slave")
	name := []byte(infoField(info, "master_replid"))
	if len(name) == 0 {
		name = unnamedReign
	}
	name = name[:min(len(name), reignLength)]
	r.reign.name.Store(&name)
	return nil
}

// infoField is the value of a line "name:value" in an answer to INFO, "" if there is none.
func infoField(info, name string) string {
	_, value, _ := strings.Cut("\n"+info, "\n"+name+":")
	value, _, _ = strings.Cut(value, "\r\n")
	return value
}
