package auth

import "crypto/sha256"

// channelSet has channels by 16 bytes of a hash of each name, so that many
// long names fit into a URL. To find a name with the hash of another takes 2^128
// tries. Nil is no set, which is not an empty one.
type channelSet []byte

const channelHash = 16

func newChannelSet(names []string) channelSet {
	if names == nil {
		return nil
	}
	s := make(channelSet, 0, channelHash*len(names))
	for _, name := range names {
		s = append(s, hashOf(name)...)
	}
	return s
}

func (s channelSet) has(name string) bool {
	hash := string(hashOf(name))
	for ; len(s) >= channelHash; s = s[channelHash:] {
		if string(s[:channelHash]) == hash {
			return true
		}
	}
	return false
}

func hashOf(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:channelHash]
}
