package streams

import "github.com/redis/go-redis/v9"

// appendScript appends drafts to a channel.
//
// KEYS: beside log, head and base, the idempotency key of each draft that has
// one. ARGV: live name, count, age in ms, life of the head in s, of a key in ms;
// then for each draft: fingerprint ("" without a key),
// ephemeral, its form in a message, and how many strings of names and values
// its fields are, which follow. It returns one string per draft: the ID, 0-0
// if ephemeral, or "reused".
//
// The first write is the only one that a server refuses (out of memory, too
// few replicas); the error then begins with REFUSED and nothing was done. All
// messages go out last: whoever hears one finds all in the stream. Ephemeral
// drafts alone leave nothing behind, not even that there is such a channel.
//
// Trimming removes whole nodes of a stream, of 100 entries unless configured
// otherwise. So age is looked at with every hundredth event, and with the first
// in each sixteenth of it, for channels where few come.
var appendScript = redis.NewScript(luaChannel + `
local live, count, age = ARGV[1], ARGV[2], tonumber(ARGV[3])
local last, base, ms, n, time, before
local written, repeated = false, false

-- Where the channel stands, asked once something is to be stored. A store
-- without a base has told nobody of one.
local function stand()
  time = now()
  last, base = where(redis.call('GET', head))
  if not last then last, base = parts(redis.call('GET', unused)) end
  if not last then
    last = id(time, 0)
    base = last
  end
  ms, n = parse(last)
  before = {ms = ms, n = n}
end

local function failed(reply) return {err = (written and 'ERR ' or 'REFUSED ') .. reply.err} end

local function store(first, to)
  if not usable(ms, n) then return {err = 'the stream holds an ID beyond all bounds'} end
  return redis.pcall('XADD', log, 'MAXLEN', '~', count, id(ms, n), 'prev', last, unpack(ARGV, first, to))
end

local function add(first, to)
  ms, n = math.max(ms, time), n + 1
  local reply = store(first, to)
  if type(reply) == 'table' and string.find(reply.err, 'equal or smaller', 1, true) then
    -- An ID added by hand or restored stands above; go on above that one.
    ms = parse(top()) + 1
    reply = store(first, to)
  end
  return reply
end

-- The values of fields, as a message has them; of text it says so elsewhere.
local function bytes(first, to)
  local all = ''
  for i = first, to, 2 do
    if ARGV[i] ~= 'text' then all = all .. ARGV[i + 1] end
  end
  return all
end

local results, messages = {}, {}
local key, at = 3, 6
while ARGV[at] do
  local print, ephemeral, form = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local first, to = at + 4, at + 3 + ARGV[at + 3]
  local answer
  if print ~= '' then
    key = key + 1
    local stored = redis.pcall('GET', KEYS[key])
    if type(stored) == 'table' then return failed(stored) end
    local was, of = string.match(stored or '', '^(%S+) (%S+)$')
    if was then answer, repeated = of == print and was or 'reused', true end
  end
  if not answer then
    local prev = '0-0'
    answer = '0-0'
    if ephemeral == '' then
      if not before then stand() end
      prev = last
      answer = add(first, to)
      if type(answer) == 'table' then return failed(answer) end
      last, written = answer, true
    end
    if print ~= '' then
      local reply = redis.pcall('SET', KEYS[key], answer .. ' ' .. print, 'PX', ARGV[5])
      if reply.err then return failed(reply) end
      written = true
    end
    messages[#messages + 1] = '1 ' .. answer .. ' ' .. prev .. form .. bytes(first, to)
  end
  results[#results + 1] = answer
  at = to + 1
end

local function passed(from, to, step) return math.floor(from / step) ~= math.floor(to / step) end

if before then
  if passed(before.n, n, 100) or passed(before.ms, ms, age / 16) then
    redis.call('XTRIM', log, 'MINID', '~', id(math.max(time - age, 0), 0))
  end
  redis.call('PEXPIRE', log, ARGV[3])
  redis.call('SET', head, last .. ' ' .. base, 'EX', ARGV[4])
else
  local _, replica = ofMaster()
  if replica then return failed(replica) end
  -- Perhaps the replicas do not have the first answer yet: a WAIT that follows
  -- waits for no less than this write.
  if repeated then redis.pcall('PEXPIRE', log, ARGV[3]) end
end
for _, message in ipairs(messages) do redis.pcall('PUBLISH', live, message) end
return results
`)
