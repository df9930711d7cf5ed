package streams

import "github.com/redis/go-redis/v9"

// rangeScript returns a page: last, base, the entry below, whether there is
// more, entries, forks. ARGV: live name, life of the head in s, of the base in s,
// from, "1" for backward, at most so many entries, so many bytes, and what to
// add to the bytes of each. It reads in pieces, so that a page of large events
// does not take a moment of everybody's Redis, and asks for the entry below
// only where the first one does not follow directly.
var rangeScript = redis.NewScript(luaChannel + luaUnused + `
local stored, replica = ofMaster()
if replica then return replica end
local last, base, known = where(stored)
local from, backward, limit, bytes = ARGV[4], ARGV[5] == '1', tonumber(ARGV[6]), tonumber(ARGV[7])
if not last then
  local refused
  last, base, refused = whereUnused()
  if refused then return refused end
elseif not known then
  redis.call('SET', head, last .. ' ' .. base, 'EX', ARGV[2])
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
-- At first as many as fit if they have 2 KiB each: mostly that is all there is.
local count = math.min(limit + 1, math.max(math.floor(bytes / 2048), 32))
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
local forks = redis.pcall('GET', KEYS[4])
return {last, base, below, more, entries, type(forks) == 'table' and 'of another kind' or forks}
`)
