package streams

import "errors"

// MaxChannelName is how many bytes a channel's name may have.
const MaxChannelName = 128

// ErrBadChannel is returned for a name that no channel can have.
//
//lint:ignore ST1005 it ends with a name
var ErrBadChannel = errors.New("a channel name is 1 to 128 of A-Z a-z 0-9 _ - . : @ ~, and not . or ..")

// ValidChannel returns ErrBadChannel unless name can be a channel's. Names
// that begin with "$" are the hub's own: valid, but not to be published to.
func ValidChannel(name string) error {
	rest := name
	if OwnChannel(name) {
		rest = name[1:]
	}
	if rest == "" || len(name) > MaxChannelName || name == "." || name == ".." {
		return ErrBadChannel
	}
	for i := range len(rest) {
		if !channelByte(rest[i]) {
			return ErrBadChannel
		}
	}
	return nil
}

// OwnChannel reports whether only the hub itself publishes to the channel.
func OwnChannel(name string) bool { return len(name) > 0 && name[0] == '$' }

func channelByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	case c == '_', c == '-', c == '.', c == ':', c == '@', c == '~':
		return true
	}
	return false
}
