package streams

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// memoryKeys are the idempotency keys of all channels. They have a share of
// the budget, which they may fill and not exceed: a key that was forgotten before
// its life is over would have a repeated event appended twice, so none is, and
// further ones are refused. Events take whatever keys leave.
//
// Keys are kept by when they came, a generation in a map of its own: a map
// never gets smaller, but goes as a whole.
type memoryKeys struct {
	most int           // how many there may be at a time
	used *atomic.Int64 // what the budget counts
	born time.Time     // what times are counted from: a clock that is set ages no key

	mu          sync.Mutex
	generations []keyGeneration // oldest first
	count       int
}

// keyGeneration is the keys that came within generationSpan.
type keyGeneration struct {
	began   time.Duration // since born
	answers map[keyHash]memoryKey
}

// memoryKey is the answer that a key got.
type memoryKey struct {
	draft uint64 // of the draft's fingerprint
	id    ID
	at    uint32 // when it was first used, in ms since its generation began
}

const (
	// generationSpan is short beside the life of a key, and long enough for a
	// look-up to have few generations to go through.
	generationSpan = KeyLife / 10

	// keySize is what a key takes at most: its hash and a memoryKey in a map that
	// has just grown.
	keySize = 128

	// keyShare is the part of the budget that keys may fill: a half, which with
	// 256 MiB is 3,000 keyed events a second for any length of time.
	keyShare = 2
)

func newMemoryKeys(budget int64, used *atomic.Int64) *memoryKeys {
	return &memoryKeys{most: max(1, int(budget/keyShare/keySize)), used: used, born: time.Now()}
}

// lookUp returns the answer that the key got before, if it is known, else
// whether there is room for it.
func (k *memoryKeys) lookUp(h keyHash, now time.Time) (answer memoryKey, known, room bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, g := range slices.Backward(k.generations) {
		if answer, known = g.answers[h]; !known {
			continue
		}
		if now.Sub(k.born)-g.began-time.Duration(answer.at)*time.Millisecond <= KeyLife {
			return answer, true, true
		}
		break
	}
	if k.count >= k.most {
		k.forgetOld(now)
	}
	return memoryKey{}, false, k.count < k.most
}

// put keeps the answer to a draft. Several channels may do so after there was
// room for one more: that many keys there can be beyond the share.
func (k *memoryKeys) put(h keyHash, draft uint64, id ID, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g := k.generation(now.Sub(k.born))
	at := max(0, now.Sub(k.born)-g.began).Milliseconds()
	g.answers[h] = memoryKey{draft, id, uint32(at)}
	k.count++
	k.used.Add(keySize)
}

// generation returns the generation of keys that come now.
func (k *memoryKeys) generation(now time.Duration) keyGeneration {
	if n := len(k.generations); n > 0 && now-k.generations[n-1].began < generationSpan {
		return k.generations[n-1]
	}
	g := keyGeneration{now, map[keyHash]memoryKey{}}
	k.generations = append(k.generations, g)
	return g
}

// expire forgets keys whose life is over.
func (k *memoryKeys) expire(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgetOld(now)
}

// forgetOld forgets the generations in which no key lives any more.
func (k *memoryKeys) forgetOld(now time.Time) {
	for len(k.generations) > 0 && now.Sub(k.born)-k.generations[0].began > KeyLife+generationSpan {
		n := len(k.generations[0].answers)
		k.generations = slices.Delete(k.generations, 0, 1)
		k.count -= n
		k.used.Add(-int64(n) * keySize)
	}
}
