package streams

import "github.com/redis/go-redis/v9"

// The scripts. KEYS are a channel's log and head; ARGV[1] is the channel's
// pub/sub name. Lua counts in doubles, exact to 2^53: milliseconds stay below
// that for 285,000 years, and a channel's running number is refused beyond it.

// luaChannel is what the scripts share. A head is "<last> <base>", the base
// 0-0 when it is not known any more.
const luaChannel = `
local log, head = KEYS[1], KEYS[2]

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

-- Where the channel stands by what is stored as its head, and whether anything is.
local function where(stored)
  local last, base = string.match(stored or '', '^(%d+%-%d+) (%d+%-%d+)$')
  if last then return last, base, true end
  last = top()
  if last then return last, '0-0', false end
  base = id(now(), 0)
  return base, base, false
end
`

// headsScript returns where a channel stands and has that live on. ARGV: live
// name, life of the head in s, of a base alone in s, and how much of it is over
// when it is renewed, so that not every look is a write.
var headsScript = redis.NewScript(luaChannel + `
local stored, replica = ofMaster()
if replica then return replica end
local last, base, known = where(stored)
local life = tonumber(last == base and ARGV[3] or ARGV[2])
if not known then
  redis.call('SET', head, last .. ' ' .. base, 'EX', life)
elseif redis.call('TTL', head) < life - ARGV[4] then
  redis.call('EXPIRE', head, life)
end
return {last, base}
`)
