
-- What the scripts share.

local function corrupt(what)
  error({ err = 'KVCORRUPT ' .. what .. ' cannot be read' })
end

local function number(value)
  return format('%.0f', value)
end

-- The time this long from now.
local function after(micros)
  return math.min(now + micros, LAST)
end

-- Up to limit of the first members whose time has come.
local function past(set, limit)
  if limit <= 0 then
    return {}
  end
  return call('ZRANGEBYSCORE', set, '-inf', number(now), 'LIMIT', 0, limit)
end

-- When the next job is due or the next lease ends; nil if nothing is scheduled.
local function next_due()
  local due
  for _, set in ipairs({ TIMED, LEASES }) do
    local time = call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
    if time and time ~= 'inf' then
      due = math.min(due or LAST, tonumber(time))
    end
  end
  return due
end

-- How long until then, for a reply; -1 for never.
local function from_now(due)
  return due and math.max(due - now, 0) or -1
end

-- Wakes somebody who waits, unless a wake-up is on its way.
local function wake()
  if call('LLEN', WAKE) == 0 then
    call('RPUSH', WAKE, '1')
  end
end

-- Forgets what is past its time, the oldest first; what it was.
local function forget_past(set, hash, limit)
  local members = past(set, limit)
  for _, member in ipairs(members) do
    call('ZREM', set, member)
    call('HDEL', hash, member)
  end
  return members
end

-- What a lane, stored as this record, remembers of a request: until when it is remembered, and the
-- reply if this very request was done before.
local function recall(record, request, verb)
  if not record then
    return 0
  end
  local last, till, of, reply = string.match(record, '^(%d+) (%d+) (%a)(.*)$')
  if not last then
    corrupt('a lane')
  end
  local ahead = tonumber(request) - tonumber(last)
  if ahead > 0 then
    return tonumber(till)
  end
  if ahead < 0 then
    error({ err = 'KVCONFLICT the lane has done a newer request' })
  end
  if of ~= verb then
    error({ err = 'KVCONFLICT the request was of another verb' })
  end
  return tonumber(till), reply
end

-- Refuses a partition that is stored in another format.
local function check_known(stored)
  if stored and stored ~= FORMAT then
    error({ err = 'KVFORMAT ' .. stored })
  end
end

-- Stores a lane's last request with its reply, and other fields and values of CONTROL.
local function remember(lane, request, kept, verb, reply, fields)
  local is_kept = kept >= after(LANE_LIFETIME)
  local till = number(is_kept and kept or after(LANE_LIFETIME + LANE_SLACK))
  fields[#fields + 1] = lane
  fields[#fields + 1] = request .. ' ' .. till .. ' ' .. verb .. reply
  call('HSET', CONTROL, unpack(fields))
  if not is_kept then
    call('ZADD', LANES, till, lane)
    forget_past(LANES, CONTROL, PAST_AT_ONCE)
  end
end

-- What happens to a single job.

local REASON_BYTES, EVICTIONS = 1024, 2
local counted = {}

-- Up to limit of the first members.
local function first(set, limit)
  if limit <= 0 then
    return {}
  end
  return call('ZRANGE', set, 0, limit - 1)
end

-- A counter rises when the script ends.
local function count(counter)
  counted[counter] = (counted[counter] or 0) + 1
end

local function write_counters()
  for counter, by in pairs(counted) do
    call('HINCRBY', CONTROL, counter, by)
  end
end

local function fresh()
  return { failures = 0, failed = 0, crashes = 0, snoozes = 0, cancelled = false, reason = '' }
end

-- What differs from a fresh job, and whether anything does.
local function load(key)
  local packed = call('HGET', RECORDS, key)
  if not packed then
    return fresh(), false
  end
  local known, fields = pcall(cmsgpack.unpack, packed)
  if not known or type(fields) ~= 'table' or #fields ~= 9 then
    corrupt('a job')
  end
  return {
    unique = fields[1] or nil,
    deadline = fields[2] or nil,
    failures = fields[3],
    failed = fields[4],
    crashes = fields[5],
    snoozes = fields[6],
    progress = fields[7] or nil,
    cancelled = fields[8],
    reason = fields[9],
  }, true
end

local function pack(job)
  return cmsgpack.pack({
    job.unique or false,
    job.deadline or false,
    job.failures,
    job.failed,
    job.crashes,
    job.snoozes,
    job.progress or false,
    job.cancelled,
    job.reason,
  })
end

local function save(key, job)
  local differs = job.unique or job.deadline or job.progress or job.cancelled or job.reason ~= ''
  if differs or job.failures + job.failed + job.crashes + job.snoozes > 0 then
    call('HSET', RECORDS, key, pack(job))
  else
    call('HDEL', RECORDS, key)
  end
end

-- Deliveries that are over.
local function ended(job)
  return job.failed + job.crashes + job.snoozes
end

local function is_expired(job)
  return ended(job) == 0 and job.deadline and job.deadline <= now
end

-- A job, taken from its set already, waits for its time.
local function place(key, delay)
  if delay == 0 then
    call('ZADD', READY, '0', key)
    wake()
  else
    call('ZADD', TIMED, number(after(delay)), key)
  end
end

-- Ends a job, taken from its set already: all that is stored of it goes.
local function forget(key)
  local job, differs = load(key)
  if job.unique and call('HGET', UNIQUE, job.unique) == key then
    call('HDEL', UNIQUE, job.unique)
  end
  call('HDEL', JOBS, key)
  if differs then
    call('HDEL', RECORDS, key, key .. 'c')
  end
end

-- Drops the oldest dead letters beyond the cap, up to a limit.
local function evict(policy, limit)
  local beyond = call('ZCARD', DEAD) - policy.keep_dead
  for _, key in ipairs(first(DEAD, math.min(beyond, limit))) do
    call('ZREM', DEAD, key)
    forget(key)
    count('evicted')
  end
end

-- Moves a job, taken from its set already, to the dead letters.
local function bury(key, job, policy)
  save(key, job)
  call('ZADD', DEAD, number(now), key)
  evict(policy, EVICTIONS)
end

-- A reason, cut at a character to what is kept.
local function cut(reason)
  if #reason <= REASON_BYTES then
    return reason
  end
  local last = REASON_BYTES
  while last > 0 and string.byte(reason, last + 1) >= 128 and string.byte(reason, last + 1) < 192 do
    last = last - 1
  end
  return sub(reason, 1, last)
end

-- Buries a job that no worker failed: its budget is spent.
local function bury_spent(key, job, why, policy)
  if job.reason ~= '' then
    why = why .. '; last failure: ' .. job.reason
  end
  job.reason = cut(why)
  bury(key, job, policy)
end

-- A policy as the client sends it.
local function read_policy(text)
  local failures, crashes, deliveries, dead = string.match(text, '^(%d+) (%d+) (%d+) (%d+)')
  return {
    failures = tonumber(failures),
    crashes = tonumber(crashes),
    deliveries = tonumber(deliveries),
    keep_dead = tonumber(dead),
  }
end

-- Refuses a partition in another format; makes a new one.
local function check_format(stored)
  check_known(stored)
  if stored then
    return
  end
  call('HSET', CONTROL, 'format', FORMAT)
  -- More than 64 bytes keep a set and a hash out of the compact encoding, in which each of a hundred
  -- is looked at to find one.
  call('ZADD', LEASES, 'inf', string.rep('-', 65))
  call('HSET', RECORDS, '-', string.rep('-', 65))
end
