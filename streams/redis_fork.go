package streams

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// luaFork is for scripts that note forks. The key has them as "<last> <first>
// <lost>", oldest first, with commas between, and is there only where a log was
// once lost. See addFork, which does the same.
const luaFork = luaChannel + `
local function less(a, b)
  local ams, an = parse(a)
  local bms, bn = parse(b)
  return ams < bms or ams == bms and an < bn
end

local function note(key, last, first, lost, most, life)
  local all, newer = {}, {}
  for fork in string.gmatch(redis.call('GET', key) or '', '[^,]+') do
    local wasLast, wasFirst, wasLost = string.match(fork, '^(%S+) (%S+) (%S+)$')
    if less(wasLast, last) then
      all[#all + 1] = fork
    elseif first ~= '0-0' and not less(wasLast, first) then
      newer[#newer + 1] = fork
    else
      if wasLast == last and first == '0-0' and less(lost, wasFirst) then first = wasFirst end
      if less(lost, wasLost) then lost = wasLost end
    end
  end
  all[#all + 1] = last .. ' ' .. first .. ' ' .. lost
  for _, fork in ipairs(newer) do all[#all + 1] = fork end
  life = math.max(life, redis.call('TTL', head))
  redis.call('SET', key, table.concat(all, ',', math.max(1, #all - most + 1)), 'EX', life)
  return {last, first, lost}
end
`

// forkScript notes a fork, and returns it or, where last is lost itself, nothing.
// ARGV: live name, life of the fork in s, of the base (unused), last, lost, how
// many forks are kept.
var forkScript = redis.NewScript(luaFork + `
local stored, replica = ofMaster()
if replica then return replica end
local last, lost, first = ARGV[4], ARGV[5], '0-0'

-- The position itself, if it is one of a channel that never had an event.
local function beginsAt(position)
  local _, base = parts(redis.call('GET', unused))
  local _, n = parse(position)
  if base and n == 0 and not less(position, base) then return position end
end

local above = redis.call('XRANGE', log, '(' .. last, '+', 'COUNT', 1)[1]
-- The first event may name that position otherwise.
local function names(prev)
  local _, n = parse(last)
  return prev == last or n == 0 and select(2, parse(prev)) == 0
end

local at = where(stored)
if not at then at = beginsAt(last) end
if above and above[2][1] == 'prev' and names(above[2][2]) then
  first = above[1]
elseif at ~= last and not redis.call('XRANGE', log, last, last)[1] then
  return {}
end
return note(KEYS[4], last, first, lost, tonumber(ARGV[6]), tonumber(ARGV[2]))
`)

// Fork implements [Forker].
func (r *Redis) Fork(ctx context.Context, channel string, last, lost ID) (Fork, error) {
	if !r.enter() {
		return Fork{}, ErrClosed
	}
	defer r.calls.Done()
	call := readCall(channel, last.String(), lost.String(), maxForks)
	args := append([]any{call}, call.args...)
	values, err := forkScript.Run(ctx, r.client, call.keys, args...).Slice()
	switch {
	case noWrites(err):
		return Fork{Last: last, Lost: lost}, nil
	case err != nil:
		return Fork{}, r.unavailable(err)
	case len(values) == 0:
		return Fork{}, nil
	}
	f, err := parseFork(values)
	if err != nil {
		return Fork{}, r.unavailable(err)
	}
	return f, nil
}

// parseForks reads what is stored of a channel's forks, nil if nothing is.
func parseForks(v any) (forks []Fork, err error) {
	text, _ := v.(string)
	if text == "" {
		return nil, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		last, rest, _ := strings.Cut(one, " ")
		first, lost, _ := strings.Cut(rest, " ")
		f, err := parseFork([]any{last, first, lost})
		if err != nil {
			return nil, err
		}
		forks = append(forks, f)
	}
	return forks, nil
}

func parseFork(values []any) (f Fork, err error) {
	if len(values) != 3 {
		return f, fmt.Errorf("a fork of %d values", len(values))
	}
	for i, id := range []*ID{&f.Last, &f.First, &f.Lost} {
		if *id, err = parseValue(values[i]); err != nil {
			return Fork{}, err
		}
	}
	return f, nil
}
