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

// appendScript appends drafts to a channel.
//
// KEYS: beside log and head, the idempotency key of each draft that has one.
// ARGV: live name, count, age in ms, life of the head in s, of a base alone in
// s, of a key in ms; then for each draft: fingerprint ("" without a key),
// ephemeral, its form in a message, and how many strings of names and values
// its fields are, which follow. It returns one string per draft: the ID, 0-0
// if ephemeral, or "reused".
//
// The first write is the only one that a server refuses (out of memory, too
// few replicas); the error then begins with REFUSED and nothing was done. All
// messages go out last: whoever hears one finds all in the stream.
//
// Trimming removes whole nodes of a stream, of 100 entries unless configured
// otherwise. So age is looked at with every hundredth event, and with the first
// in each sixteenth of it, for channels where few come.
var appendScript = redis.NewScript(luaChannel + `
local live, count, age = ARGV[1], ARGV[2], tonumber(ARGV[3])
local last, base, known = where(redis.call('GET', head))
local ms, n = parse(last)
local time = now()
local before, written, repeated = {ms = ms, n = n}, false, false

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
local key, at = 2, 7
while ARGV[at] do
  local print, ephemeral, form = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local first, to = at + 4, at + 3 + ARGV[at + 3]
  local answer
  if print ~= '' then
    key = key + 1
    local was, of = string.match(redis.call('GET', KEYS[key]) or '', '^(%S+) (%S+)$')
    if was then answer, repeated = of == print and was or 'reused', true end
  end
  if not answer then
    local prev = '0-0'
    answer = '0-0'
    if ephemeral == '' then
      prev = last
      answer = add(first, to)
      if type(answer) == 'table' then return failed(answer) end
      last, written = answer, true
    end
    if print ~= '' then
      local reply = redis.pcall('SET', KEYS[key], answer .. ' ' .. print, 'PX', ARGV[6])
      if reply.err then return failed(reply) end
      written = true
    end
    messages[#messages + 1] = '1 ' .. answer .. ' ' .. prev .. form .. bytes(first, to)
  end
  results[#results + 1] = answer
  at = to + 1
end

local function passed(from, to, step) return math.floor(from / step) ~= math.floor(to / step) end

if n > before.n then
  if passed(before.n, n, 100) or passed(before.ms, ms, age / 16) then
    redis.call('XTRIM', log, 'MINID', '~', id(math.max(time - age, 0), 0))
  end
  redis.call('PEXPIRE', log, ARGV[3])
else
  local _, replica = ofMaster()
  if replica then return failed(replica) end
  -- Perhaps the replicas do not have the first answer yet: a WAIT that follows
  -- waits for no less than this write.
  if repeated then redis.pcall('PEXPIRE', log, ARGV[3]) end
end
if n > before.n or not known then
  redis.call('SET', head, last .. ' ' .. base, 'EX', last == base and ARGV[5] or ARGV[4])
end
for _, message in ipairs(messages) do redis.pcall('PUBLISH', live, message) end
return results
`)

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

// rangeScript returns a page: last, base, the entry below, whether there is
// more, entries. ARGV: live name, life of the head in s, of a base alone in s,
// from, "1" for backward, at most so many entries, so many bytes, and what to
// add to the bytes of each. It reads in pieces, so that a page of large events
// does not take a moment of everybody's Redis, and asks for the entry below
// only where the first one does not follow directly.
var rangeScript = redis.NewScript(luaChannel + `
local stored, replica = ofMaster()
if replica then return replica end
local last, base, known = where(stored)
local from, backward, limit, bytes = ARGV[4], ARGV[5] == '1', tonumber(ARGV[6]), tonumber(ARGV[7])
if not known then
  redis.call('SET', head, last .. ' ' .. base, 'EX', last == base and ARGV[3] or ARGV[2])
end

local function canonical(s)
  local ms, n = parse(s)
  if usable(ms, n) and id(ms, n) == s then return n end
end

-- Whether an entry is one of the hub's, which name the ID before their own,
-- one number lower. Mostly that is the entry just seen.
local seen, number
local function ours(entry)
  local fields = entry[2]
  if fields[1] ~= 'prev' then return end
  local ms, n = parse(entry[1])
  if not usable(ms, n) then return end
  local before = fields[2] == seen and number or canonical(fields[2])
  seen, number = entry[1], n
  return before and n == before + 1
end

local function size(fields)
  local total = tonumber(ARGV[8])
  for i = 3, #fields, 2 do
    if fields[i] ~= 'text' then total = total + #fields[i + 1] end
  end
  return total
end

local entries, sum, more, below = {}, 0, 0, '0-0'

-- Takes a piece and says whether the page has room for another.
local function take(piece)
  for _, entry in ipairs(piece) do
    if ours(entry) then
      sum = sum + size(entry[2])
      if #entries == limit or sum > bytes and #entries > 0 then
        more = 1
        return false
      end
      entries[#entries + 1] = entry
    end
  end
  return true
end

local command, start, stop = 'XRANGE', from, '+'
if backward then
  command, start, stop = 'XREVRANGE', from == '0-0' and '+' or '(' .. from, '-'
end
local count = math.min(limit + 1, 32)
while true do
  local piece = redis.call(command, log, start, stop, 'COUNT', count)
  if not take(piece) or #piece < count then break end
  start = '(' .. piece[#piece][1]
  local fit = #entries > 0 and math.ceil((bytes - sum) * #entries / sum) or 0
  count = math.max(math.min(limit - #entries, fit) + 1, 32)
end

local function direct()
  local ms, n = parse(from)
  return n > 0 and entries[1] and entries[1][2][2] == id(ms, n - 1)
end

if not backward and from ~= '0-0' and not direct() then
  local piece, start = {}, '(' .. from
  repeat
    piece = redis.call('XREVRANGE', log, start, '-', 'COUNT', 1)
    if piece[1] then start = '(' .. piece[1][1] end
  until not piece[1] or ours(piece[1])
  if piece[1] then below = piece[1][1] end
end
return {last, base, below, more, entries}
`)
