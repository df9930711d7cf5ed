package main

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"runnel/auth"
)

// list has several values; commas and white space part them, too.
type list []string

// Decode adds a flag's value; it is part of kong.MapperValue.
func (l *list) Decode(ctx *kong.DecodeContext) error {
	values, err := popStrings(ctx, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
	*l = append(*l, values...)
	return err
}

// secrets has several values, parted by line ends only: a secret can have any
// other character in it.
type secrets []string

// Decode adds a flag's value; it is part of kong.MapperValue.
func (s *secrets) Decode(ctx *kong.DecodeContext) error {
	values, err := popStrings(ctx, lineEnd)
	*s = append(*s, values...)
	return err
}

// apiKeys has several API keys, parted as secrets are. The file gives some with
// rights, ready made.
type apiKeys []auth.APIKey

// Decode adds a flag's value; it is part of kong.MapperValue.
func (k *apiKeys) Decode(ctx *kong.DecodeContext) error {
	items, err := popItems(ctx)
	if err != nil {
		return err
	}
	for _, item := range items {
		if key, made := item.(auth.APIKey); made {
			*k = append(*k, key)
			continue
		}
		for _, text := range strings.FieldsFunc(fmt.Sprint(item), lineEnd) {
			key, err := auth.ParseAPIKey(text)
			if err != nil {
				return fmt.Errorf("API key %d: %w", len(*k)+1, err)
			}
			*k = append(*k, key)
		}
	}
	return nil
}

// prefixes has address ranges; a plain address is the range of itself.
type prefixes []netip.Prefix

// Decode adds a flag's value; it is part of kong.MapperValue.
func (p *prefixes) Decode(ctx *kong.DecodeContext) error {
	var l list
	if err := l.Decode(ctx); err != nil {
		return err
	}
	for _, s := range l {
		prefix, err := netip.ParsePrefix(s)
		if addr, addrErr := netip.ParseAddr(s); err != nil && addrErr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return fmt.Errorf("%q is no range of addresses; write it like 10.0.0.0/8 or fd00::/8", s)
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

func lineEnd(r rune) bool { return r == '\n' || r == '\r' }

func popStrings(ctx *kong.DecodeContext, border func(rune) bool) (values []string, err error) {
	items, err := popItems(ctx)
	for _, item := range items {
		values = append(values, strings.FieldsFunc(fmt.Sprint(item), border)...)
	}
	return values, err
}

// popItems takes a flag's value: of a list in the file each item.
func popItems(ctx *kong.DecodeContext) ([]any, error) {
	token, err := ctx.Scan.PopValue("value")
	if err != nil {
		return nil, err
	}
	if items, isList := token.Value.([]any); isList {
		return items, nil
	}
	return []any{token.Value}, nil
}

// size is a number of bytes.
type size int64

var units = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// UnmarshalText reads a whole number with a unit.
func (s *size) UnmarshalText(text []byte) error {
	for _, u := range units {
		digits, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err == nil && n >= 0 && n <= math.MaxInt64/u.bytes {
			*s = size(n * u.bytes)
			return nil
		}
		break
	}
	return fmt.Errorf("%q is no size; write a whole number and a unit, such as 256MiB or 1GiB", text)
}

// String writes the size with the largest unit that divides it.
func (s size) String() string {
	for _, u := range []int{3, 2, 1, 0} {
		if n := int64(s); n != 0 && n%units[u].bytes == 0 {
			return strconv.FormatInt(n/units[u].bytes, 10) + units[u].name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// spoken writes a duration without the units that are 0: 2m, and not 2m0s.
func spoken(d time.Duration) string {
	s := d.String()
	if short, ok := strings.CutSuffix(s, "m0s"); ok {
		s = short + "m"
	}
	if short, ok := strings.CutSuffix(s, "h0m"); ok {
		s = short + "h"
	}
	return s
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration; write a number and a unit, such as 10s, 90m or 24h", s)
	}
	return d, nil
}

// decodeDuration and decodeInt say what would be right, where kong's own say
// what Go's parser expected.
func decodeDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := parseDuration(text)
	target.SetInt(int64(d))
	return err
}

func decodeInt(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("number", &text); err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%q is no whole number, such as 20", text)
	}
	target.SetInt(int64(n))
	return nil
}
