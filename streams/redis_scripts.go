package streams

import "github.com/redis/go-redis/v9"

// The scripts. KEYS are a channel's log and head and the store's base, and where
// forks are read or written the channel's; ARGV[1] is its pub/sub name. Lua counts in doubles, exact to 2^53: milliseconds stay below
// that for 285,000 years, and a channel's running number is refused beyond it.

// luaChannel is what the scripts share. A head is "<last> <base> <reign>", the
// base 0-0 when it is not known any more, and the reign (see [reign]) that of
// the last event, not there when it is not known. The store's base is the head
// of all channels that never had an event.
const luaChannel = `
local log, head, unused = KEYS[1], KEYS[2], KEYS[3]

local function id(ms, n) return string.format('%d-%d', ms, n) end

local function parse(s)
  local ms, n = string.match(s, '^(%d+)%-(%d+)$')
  return tonumber(ms), tonumber(n)
end

local function usable(ms, n) return ms and ms <= 253402300799999 and n < 9007199254740991 end

local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- The highest ID that the stream ever held; trimming does not take it away.
local function top()
  local info = redis.pcall('XINFO', 'STREAM', log)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' and info[i + 1] ~= '0-0' then return info[i + 1] end
  end
end

-- What a master has as the head, or an error on a replica, which must not tell
-- clients where they stand: a master that was replaced still answers for a
-- while. Replicas refuse a GETEX as a write, even one like this that changes
-- nothing. In a script that does write it must not be the first: once one was
-- let through, a full server lets the others through, too.
local function ofMaster()
  local reply = redis.pcall('GETEX', head)
  if type(reply) ~= 'table' then return reply end
  if string.find(reply.err, 'READONLY', 1, true) then return nil, reply end
  return redis.call('GET', head)
end

local function parts(stored) return string.match(stored or '', '^(%d+%-%d+) (%d+%-%d+) ?(%S*)$') end

-- Where the channel stands by what is stored as its head, whether anything is,
-- and the reign; nothing where there never was an event.
local function where(stored)
  local last, base, reign = parts(stored)
  if last then return last, base, true, reign end
  last = top()
  if last then return last, '0-0', false end
end
`

// luaUnused tells readers where channels stand that never had an event, and
// takes care of the store's base. ARGV[2] and ARGV[3] are the lives of a head
// and of the base in s.
//
// A channel without a head had no event for as long as heads live, so that a
// position before the first event is good for that long. The base is moved up
// each day that somebody asks, and gone after its life: while it is there, what
// it calls good was handed out within the life of a head.
const luaUnused = `
local function whereUnused()
  local last, base = parts(redis.call('GET', unused))
  local time, life = now(), ARGV[3] * 1000
  if last and time < parse(last) + life / 7 then return last, base end
  local newest = math.max(time, last and parse(last) or 0)
  local oldest = math.max(base and parse(base) or newest, time - (ARGV[2] * 1000 - life))
  local reply = redis.pcall('SET', unused, id(newest, 0) .. ' ' .. id(oldest, 0), 'EX', ARGV[3])
  if not reply.err then return id(newest, 0), id(oldest, 0) end
  return last, base, not last and reply or nil
end
`

// headsScript returns where a channel stands and has that live on. ARGV: live
// name, life of the head in s, of the base in s, and how much of the head's is
// over when it is renewed, so that not every look is a write.
var headsScript = redis.NewScript(luaChannel + luaUnused + `
local stored, replica = ofMaster()
if replica then return replica end
local last, base, known = where(stored)
if not last then
  local last, base, refused = whereUnused()
  return refused or {last, base}
end
if not known then
  redis.call('SET', head, last .. ' ' .. base, 'EX', ARGV[2])
elseif redis.call('TTL', head) < ARGV[2] - ARGV[4] then
  redis.call('EXPIRE', head, ARGV[2])
end
return {last, base}
`)
