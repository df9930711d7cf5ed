package auth

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"runnel/spelling"
	"runnel/strict"
)

// Bounds of what a token can say. A token has to fit in a header or URL
// anyway; these keep what a connection holds, and what is written to logs and
// to other users as a name, small.
const (
	maxSubject  = 256
	maxDevice   = 128
	maxPatterns = 100
	// maxTime is the last second that RFC 3339 can write (end of the year 9999).
	maxTime = 253402300799
)

// payload is the claims set of a token (RFC 7519, section 4), read more
// strictly than encoding/json does: there names match in any case, the last
// of two duplicates wins, and broken UTF-8 becomes U+FFFD, so that two readers
// of a token could see two different users in it.
type payload struct {
	jwt.Claims // nil: the parser asks for the type only, rules.check does the checking

	Subject   string
	Expires   time.Time // zero: not there
	NotBefore time.Time // zero: not there
	Issuer    string
	Audience  []string
	Rights    rights
}

// rights is the claim "runnel".
type rights struct {
	Subscribe, Publish, Presence Patterns
	Device                       string
	Admin                        bool
}

func (p *payload) UnmarshalJSON(b []byte) error {
	if !utf8.Valid(b) {
		return refuse(ErrInvalid, "the token's claims are not UTF-8")
	}
	m, err := members(b)
	if err != nil {
		return refuse(ErrInvalid, "the token's claims %s", err)
	}
	err = cmp.Or(
		m.read("sub", text(&p.Subject)),
		m.read("exp", instant(&p.Expires)),
		m.read("nbf", instant(&p.NotBefore)),
		m.read("iss", text(&p.Issuer)),
		m.read("aud", audience(&p.Audience)),
		m.read("runnel", p.Rights.read))
	if err != nil {
		return refuse(ErrInvalid, "the token's claim %s", err)
	}
	return nil
}

// rightNames are the members of the claim "runnel". Others may stand there, but
// who misspells one would look in vain for why a right is missing.
var rightNames = spelling.Of("subscribe", "publish", "presence", "device", "admin")

func (r *rights) read(b json.RawMessage) error {
	m, err := members(b)
	if err != nil {
		return err
	}
	for name := range m {
		if meant := rightNames.Meant(name); meant != "" {
			return fmt.Errorf("is wrong: it knows no %s; %s is meant", strict.Quote(name), meant)
		}
	}
	err = cmp.Or(
		m.read("subscribe", patterns(&r.Subscribe)),
		m.read("publish", patterns(&r.Publish)),
		m.read("presence", patterns(&r.Presence)),
		m.read("device", text(&r.Device)),
		m.read("admin", boolean(&r.Admin)))
	if err != nil {
		return fmt.Errorf("is wrong: its %w", err)
	}
	if len(r.Device) > maxDevice || strings.ContainsFunc(r.Device, unprintable) {
		return errors.New(`is wrong: its "device" is too long or has a control character`)
	}
	return nil
}

// object is a JSON object by its exact names.
type object map[string]json.RawMessage

// members splits an object, which is valid JSON; a name that comes twice is an
// error.
func members(b []byte) (object, error) {
	if !strict.IsObject(b) {
		return nil, errors.New("must be an object")
	}
	m := make(object)
	for name, value := range strict.Members(b) {
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("name %s twice", strict.Quote(name))
		}
		m[name] = value
	}
	return m, nil
}

// read reads one member. Null is absence: encoders write an empty list so.
func (m object) read(name string, value func(json.RawMessage) error) error {
	b, ok := m[name]
	if !ok || string(b) == "null" {
		return nil
	}
	if err := value(b); err != nil {
		return fmt.Errorf("%q %w", name, err)
	}
	return nil
}

func text(to *string) func(json.RawMessage) error {
	return func(b json.RawMessage) error {
		var ok bool
		if *to, ok = strict.String(b); !ok {
			return errors.New("must be a string")
		}
		return nil
	}
}

func boolean(to *bool) func(json.RawMessage) error {
	return func(b json.RawMessage) error {
		if json.Unmarshal(b, to) != nil {
			return errors.New("must be true or false")
		}
		return nil
	}
}

// instant reads a NumericDate (RFC 7519, section 2); fractions are cut off.
func instant(to *time.Time) func(json.RawMessage) error {
	return func(b json.RawMessage) error {
		seconds, err := strconv.ParseFloat(string(b), 64)
		if err != nil || !(seconds >= 1 && seconds <= maxTime) {
			return errors.New("must be a number of seconds since 1970")
		}
		*to = time.Unix(int64(seconds), 0).UTC()
		return nil
	}
}

func audience(to *[]string) func(json.RawMessage) error {
	return func(b json.RawMessage) error {
		var one string
		if json.Unmarshal(b, &one) == nil {
			*to = []string{one}
			return nil
		}
		if json.Unmarshal(b, to) != nil {
			return errors.New("must be a string or a list of strings")
		}
		return nil
	}
}

func patterns(to *Patterns) func(json.RawMessage) error {
	return func(b json.RawMessage) error {
		var texts []string
		if json.Unmarshal(b, &texts) != nil {
			return errors.New("must be a list of channel patterns")
		}
		if len(texts) > maxPatterns {
			return fmt.Errorf("has more than %d patterns", maxPatterns)
		}
		ps, err := ParsePatterns(texts...)
		if err != nil {
			return fmt.Errorf("cannot be read: %w", err)
		}
		*to = ps
		return nil
	}
}

// checkSubject says what is wrong with a user's name. U+FFFD is what broken
// text has turned into on its way: two users could meet in it.
func checkSubject(sub string) error {
	switch {
	case sub == "":
		return refuse(ErrInvalid, `the token needs a claim "sub"`)
	case len(sub) > maxSubject:
		return refuse(ErrInvalid, `the token's claim "sub" is longer than %d bytes`, maxSubject)
	case strings.ContainsFunc(sub, unprintable):
		return refuse(ErrInvalid, `the token's claim "sub" has a control character or is not Unicode text`)
	}
	return nil
}

func unprintable(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }
