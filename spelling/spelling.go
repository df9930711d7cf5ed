// Package spelling finds the name that was meant by one that does not exist,
// for readers that would rather ask than guess. Begin with [Of].
package spelling

import "math/bits"

// Names are the names that exist.
type Names []name

type name struct {
	exact   string
	letters []byte
	set     uint64
}

// Of makes Names.
func Of(names ...string) Names {
	all := make(Names, len(names))
	for i, n := range names {
		is := letters(nil, n)
		all[i] = name{n, is, set(is)}
	}
	return all
}

// longest is how long a name may be that is compared: none of ours is longer,
// and a stranger's costs no more than this.
const longest = 64

// Has reports whether name exists, letter by letter.
func (names Names) Has(name string) bool {
	for i := range names {
		if names[i].exact == name {
			return true
		}
	}
	return false
}

// All are the names as they were given.
func (names Names) All() []string {
	all := make([]string, len(names))
	for i := range names {
		all[i] = names[i].exact
	}
	return all
}

// enough says how many letters both names need for so many to be wrong: with
// two others, a name of six or seven is mostly another word (cancel, channel).
var enough = []int{0, 5, 8}

// Meant returns the name that a misspelt one surely means: one that differs in
// case, "-" and "_" alone, where both have five letters or more in one letter,
// and where both have eight in two. It is "" for one that exists, and for one
// that is somebody else's.
func (names Names) Meant(name string) string {
	if names.Has(name) {
		return ""
	}
	return names.nearest(name, enough)
}

// Nearest returns the name with the fewest wrong letters, of those that have so
// many at most; case, "-" and "_" do not count. It is "" if there is none.
func (names Names) Nearest(name string, wrong int) string {
	return names.nearest(name, make([]int, wrong+1))
}

// nearest returns the name with the fewest wrong letters, of those that have
// enough for so many.
func (names Names) nearest(name string, enough []int) string {
	if len(name) > longest {
		return ""
	}
	var room [longest]byte
	is := letters(room[:0], name)
	has := set(is)
	for w, least := range enough {
		for i := range names {
			other := &names[i]
			if min(len(is), len(other.letters)) < least {
				continue
			}
			if alike(has, other.set, w) && within(is, other.letters, w) {
				return other.exact
			}
		}
	}
	return ""
}

// set has a bit for each letter that occurs, some for more than one.
func set(letters []byte) (set uint64) {
	for _, c := range letters {
		set |= 1 << (c % 64)
	}
	return set
}

// alike spares most strangers the comparison: a letter that only one of the two
// has is one wrong at least.
func alike(a, b uint64, wrong int) bool {
	return bits.OnesCount64(a&^b) <= wrong && bits.OnesCount64(b&^a) <= wrong
}

// within reports whether a becomes b when so many letters at most are added,
// dropped, changed or swapped with the next.
func within(a, b []byte, wrong int) bool {
	if max(len(a)-len(b), len(b)-len(a)) > wrong {
		return false
	}
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	switch {
	case len(a) == 0 || len(b) == 0:
		return true // what is left of the other is short enough
	case wrong == 0:
		return false
	}
	return within(a[1:], b[1:], wrong-1) || within(a[1:], b, wrong-1) || within(a, b[1:], wrong-1) ||
		swapped(a, b) && within(a[2:], b[2:], wrong-1)
}

func swapped(a, b []byte) bool {
	return len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0]
}

// letters appends those of a name: what people and programs write in more than
// one way is left out.
func letters(b []byte, name string) []byte {
	for _, c := range []byte(name) {
		switch {
		case c == '-' || c == '_':
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		default:
			b = append(b, c)
		}
	}
	return b
}
