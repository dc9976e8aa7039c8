
check_known(control[1])
local kept, repeated = recall(control[3], request, 'S')
if repeated then
  return repeated
end
local sequence = tonumber(control[2] or 0)
local before = sequence
if sequence + ARGV[3] > MAX_SEQUENCE then
  return redis.error_reply('KVEXHAUSTED the sequence numbers')
end
local largest = control[4]
if not control[1] then
  largest = make()
end
if kept < after(SESSION_LIFETIME) then
  mark(call('HGET', CONTROL, 'marks'), sequence)
end

local heads = {}
local function parse(head)
  local scope, window = string.match(head, '([lrw])(%d*)$')
  heads[head] = {
    priority = sub(head, 1, 1),
    delay = tonumber(string.match(head, 'd(%d+)') or 0),
    ttl = tonumber(string.match(head, 't(%d+)')),
    group = string.find(head, 'g', 1, true) ~= nil,
    noted = string.find(head, 'n', 1, true) ~= nil,
    scope = scope,
    window = tonumber(window),
  }
  return heads[head]
end

local jobs, groups_of, names, wanted = {}, {}, {}, {}
local at = 4
for i = 1, tonumber(ARGV[3]) do
  local job = heads[ARGV[at]] or parse(ARGV[at])
  jobs[i] = at
  at = at + 2
  if job.scope then
    wanted[#wanted + 1] = ARGV[at]
    at = at + 1
  end
  if job.group then
    groups_of[i], names[#names + 1] = ARGV[at], ARGV[at]
    at = at + 1
  end
end

if #names > 0 then
  grouped().load_all(names)
end

-- Who holds these unique keys: false for nobody.
local holders = {}
if #wanted > 0 then
  local found = call('HMGET', UNIQUE, unpack(wanted))
  for i = 1, #wanted do
    -- What cannot be read holds nothing, and is replaced.
    holders[wanted[i]] = found[i] and is_key(found[i]) and found[i]
  end
end

-- Who holds a unique key now; a window that is past holds nothing.
local function holder(unique)
  local till = holders[unique] and call('ZSCORE', WINDOWS, unique)
  if till and tonumber(till) <= now then
    call('ZREM', WINDOWS, unique)
    call('HDEL', UNIQUE, unique)
    holders[unique] = false
  end
  return holders[unique]
end

local ready, timed, stored, records, held, replies, longest = {}, {}, {}, {}, {}, {}, 0

-- Lets a new job hold a unique key.
local function hold(unique, key, job)
  holders[unique] = key
  if job.scope ~= 'w' then
    held[#held + 1] = unique
    held[#held + 1] = key
    return
  end
  call('HSET', UNIQUE, unique, key)
  call('ZADD', WINDOWS, number(after(job.window)), unique)
  for _, forgotten in ipairs(forget_past(WINDOWS, UNIQUE, PAST_AT_ONCE)) do
    holders[forgotten] = false
  end
end

for i = 1, #jobs do
  local head, body = ARGV[jobs[i]], ARGV[jobs[i] + 1]
  local job = heads[head]
  local unique = job.scope and ARGV[jobs[i] + 2]
  local holding = unique and holder(unique)
  if holding then
    replies[i] = 'd' .. holding
  else
    sequence = sequence + 1
    local key = job.priority .. format('%013x', sequence)
    replies[i] = 'a' .. key
    stored[#stored + 1] = key
    stored[#stored + 1] = body
    longest = math.max(longest, #body)
    local record
    if job.scope == 'l' or job.ttl or job.group or job.noted then
      record = fresh()
      if job.noted then
        record.place, record.since = sequence - 1, now
      end
      record.group = groups_of[i]
      record.unique = job.scope == 'l' and unique
      record.deadline = job.ttl and after(job.ttl)
      records[#records + 1] = key
      records[#records + 1] = pack(record)
    end
    if unique then
      hold(unique, key, job)
    end
    if job.group and job.delay == 0 then
      make_ready(key, record)
    else
      local place = job.delay == 0 and ready or timed
      place[#place + 1] = job.delay == 0 and '0' or number(after(job.delay))
      place[#place + 1] = job.noted and job.delay == 0 and member(key, record) or key
    end
  end
end

-- Calls a command with up to 1,000 pairs, if there are any.
local function write(command, key, pairs)
  if #pairs > 0 then
    call(command, key, unpack(pairs))
  end
end

if #names > 0 then
  call('HSET', CONTROL, 'format', GROUPED_FORMAT)
end
write('HSET', JOBS, stored)
write('HSET', RECORDS, records)
write('HSET', UNIQUE, held)
write('ZADD', TIMED, timed)
write('ZADD', READY, ready)
if largest and longest > largest + 0 then
  call('HSET', CONTROL, 'largest', longest)
end
write_counters()
local reply = table.concat(replies)
if session ~= '' then
  remember(session, request, kept, 'S', reply, { 'sequence', number(sequence) })
elseif #stored > 0 then
  call('HSET', CONTROL, 'sequence', number(sequence))
end
-- A delayed job that is due before all others wakes as well: who waits sleeps until then.
local earliest = #timed > 0 and call('ZRANGE', TIMED, 0, 0)[1]
if #ready > 0 or earliest and tonumber(sub(earliest, 2), 16) > before then
  wake()
end
return reply
