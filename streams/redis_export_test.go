package streams

// Waiting is how many appends to the channel, and those of its sender, have
// not been taken yet.
func (r *Redis) Waiting(channel string) int { return len(r.queueOf(channel)) }
