package streams

import "github.com/redis/go-redis/v9"

// appendScript appends drafts to a channel.
//
// KEYS: beside log, head, base and forks, the idempotency key of each draft that
// has one. ARGV: live name, count, age in ms, life of the head in s, of a key in
// ms, reign; then for each draft: fingerprint ("" without a key), ephemeral, its form in a
// message, and how many strings of names and values its fields are, which
// follow. It returns one string per draft: the ID, 0-0 if ephemeral, or "reused".
//
// The first write is the only one that a server refuses (out of memory, too
// few replicas); the error then begins with REFUSED and nothing was done. All
// messages go out last: whoever hears one finds all in the stream. Ephemeral
// drafts alone leave nothing behind, not even that there is such a channel.
//
// Trimming removes whole nodes of a stream, of 100 entries unless configured
// otherwise. So age is looked at with every hundredth event, and with the first
// in each sixteenth of it, for channels where few come. With the latter the
// stream's life is set, too: age, and the sixteenth until it is set again.
//
// Lua makes a script's functions anew in each call, whether they are used or
// not, and Redis is busy with that longer than with the commands: so what is
// seldom needed stands in one function.
var appendScript = redis.NewScript(`
local function seldom()` + luaChannel + `

  -- Notes that first follows last in another reign: what was between is lost.
  -- Something else where the forks belong takes with it what was known.
  local function note(last, first)
    local was = redis.pcall('GET', KEYS[4])
    if type(was) == 'table' then was = '0-0 ' .. last .. ' 0-0' end
    local all = (was and was .. ',' or '') .. last .. ' ' .. first .. ' 0-0'
    if #all > ` + luaForkBytes + ` then all = string.gsub(string.sub(all, -` + luaForkBytes + `), '^[^,]*,', '') end
    redis.call('SET', KEYS[4], all, 'EX', ARGV[4])
  end
  return {where = where, parts = parts, top = top, note = note}
end

local log, head, unused = KEYS[1], KEYS[2], KEYS[3]
local live, count, age, reign = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[6]
local last, base, was, known, ms, n, time, wasMs, wasN, forkLast, forkFirst
local written, repeated = false, false

-- Where the channel stands, asked once something is to be stored; returns what
-- the server answers where it does not tell. A store without a base has told
-- nobody of one.
local function stand()
  local t = redis.call('TIME')
  time = t[1] * 1000 + math.floor(t[2] / 1000)
  local stored = redis.pcall('GET', head)
  if type(stored) == 'table' then return stored end
  last, base, was = string.match(stored or '', '^(%d+%-%d+) (%d+%-%d+) ?(%S*)$')
  known = last
  if not last then
    local channel = seldom()
    last, base = channel.where(stored)
    if not last then
      stored = redis.pcall('GET', unused)
      if type(stored) == 'table' then return stored end
      was, last, base = reign, channel.parts(stored)
    end
    if not last then
      last = string.format('%d-0', time)
      base = last
    end
  end
  ms, n = string.match(last, '^(%d+)%-(%d+)$')
  ms, n = tonumber(ms), tonumber(n)
  wasMs, wasN = ms, n
  if was ~= reign then forkLast = last end
end

local function failed(reply) return {err = (written and 'ERR ' or 'REFUSED ') .. reply.err} end

local function store(first, to)
  if ms > 253402300799999 or n >= 9007199254740991 then
    return {err = 'the stream holds an ID beyond all bounds'}
  end
  return redis.pcall('XADD', log, 'MAXLEN', '~', count, string.format('%d-%d', ms, n), 'prev', last, unpack(ARGV, first, to))
end

local results, messages = {}, {}
local key, at = 4, 7
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
      local broken = not time and stand()
      if broken then return failed(broken) end
      prev = last
      ms, n = math.max(ms, time), n + 1
      answer = store(first, to)
      if type(answer) == 'table' and string.find(answer.err, 'equal or smaller', 1, true) then
        -- An ID added by hand or restored stands above: go on above that one.
        ms = string.match(seldom().top(), '%d+') + 1
        answer = store(first, to)
      end
      if type(answer) == 'table' then return failed(answer) end
      last, written = answer, true
      if forkLast and not forkFirst then forkFirst = answer end
    end
    if print ~= '' then
      local reply = redis.pcall('SET', KEYS[key], answer .. ' ' .. print, 'PX', ARGV[5])
      if reply.err then return failed(reply) end
      written = true
    end
    -- The values of fields follow; of text the form says so.
    local message = '1 ' .. answer .. ' ' .. prev .. form
    for i = first, to, 2 do
      if ARGV[i] ~= 'text' then message = message .. ARGV[i + 1] end
    end
    messages[#messages + 1] = message
  end
  results[#results + 1] = answer
  at = to + 1
end

if time then
  local step = age / 16
  local due = math.floor(wasMs / step) ~= math.floor(ms / step)
  if due or math.floor(wasN / 100) ~= math.floor(n / 100) then
    redis.call('XTRIM', log, 'MINID', '~', string.format('%d-0', math.max(time - age, 0)))
  end
  -- Where the clock is behind, IDs stand still though time goes on.
  if due or not known or wasMs > time then redis.call('PEXPIRE', log, math.ceil(age + step)) end
  redis.call('SET', head, last .. ' ' .. base .. ' ' .. reign, 'EX', ARGV[4])
  if forkLast then seldom().note(forkLast, forkFirst) end
else
  -- A replica refuses this as a write; what else is answered does not matter.
  local reply = redis.pcall('GETEX', head)
  if type(reply) == 'table' and string.find(reply.err, 'READONLY', 1, true) then return failed(reply) end
  -- Perhaps the replicas do not have the first answer yet: a WAIT that follows
  -- waits for no less than this write.
  if repeated then redis.pcall('PEXPIRE', log, ARGV[3]) end
end
for _, message in ipairs(messages) do redis.pcall('PUBLISH', live, message) end
return results
`)
