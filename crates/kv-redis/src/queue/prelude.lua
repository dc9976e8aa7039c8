
-- What the scripts share.

local function corrupt(what)
  error({ err = 'KVCORRUPT ' .. what .. ' cannot be read' })
end

-- Whether a text is the key of a job.
local KEY = '[0-9a-f][01]' .. string.rep('[0-9a-f]', 12)
local function is_key(text)
  return string.match(text, '^' .. KEY .. '$') ~= nil
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

-- What a session, stored as this record, remembers of a request: until when it is remembered, and
-- the reply if this very request was done before.
local function recall(record, request, verb)
  if not record then
    return 0
  end
  local last, till, of, reply = string.match(record, '^(%d+) (%d+) (%a)(.*)$')
  if not last then
    corrupt('a session')
  end
  local ahead = tonumber(request) - tonumber(last)
  if ahead > 0 then
    return tonumber(till)
  end
  if ahead < 0 then
    error({ err = 'KVCONFLICT the session has done a newer request' })
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

-- Whether a partition has neither jobs nor sessions.
local function is_blank()
  return call('EXISTS', READY, TIMED, DEAD, SESSIONS) == 0
      and call('ZCOUNT', LEASES, '-inf', '(inf') == 0
end

-- Makes a partition, or brings back one that was purged; how long its longest body is.
local function make()
  call('HSET', CONTROL, 'format', FORMAT, 'largest', '0')
  call('PERSIST', CONTROL)
  call('PERSIST', WAKE)
  -- More than 64 bytes keep a set and a hash out of the compact encoding, in which each of a
  -- hundred is looked at to find one.
  call('ZADD', LEASES, 'inf', string.rep('-', 65))
  call('HSET', RECORDS, '-', string.rep('-', 65))
  return '0'
end

-- Stores a session's last request with its reply, and other fields and values of CONTROL.
local function remember(session, request, kept, verb, reply, fields)
  local is_kept = kept >= after(SESSION_LIFETIME)
  local till = number(is_kept and kept or after(SESSION_LIFETIME + SESSION_SLACK))
  fields[#fields + 1] = session
  fields[#fields + 1] = request .. ' ' .. till .. ' ' .. verb .. reply
  call('HSET', CONTROL, unpack(fields))
  if not is_kept then
    call('ZADD', SESSIONS, till, session)
    forget_past(SESSIONS, CONTROL, PAST_AT_ONCE)
  end
end

-- What happens to a single job.

local REASON_BYTES, EVICTIONS, MAX_BATCH = 1024, 2, 1000
local RECORD = 'its stored record cannot be read'
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

-- The fields of a record: of what type each is, and whether it is false where a job has none.
local FIELDS = {
  { 'unique', 'string', true },
  { 'deadline', 'number', true },
  { 'failures', 'number' },
  { 'failed', 'number' },
  { 'crashes', 'number' },
  { 'snoozes', 'number' },
  { 'progress', 'number', true },
  { 'cancelled', 'boolean' },
  { 'reason', 'string' },
  { 'place', 'number' },
  { 'since', 'number' },
}

-- A record of its fields, which end with the reason where the job never came back; nil if they are
-- none.
local function read(fields)
  if type(fields) ~= 'table' or #fields ~= 9 and #fields ~= 11 then
    return nil
  end
  local job = {}
  for i = 1, #fields do
    local value, name, kind = fields[i], FIELDS[i][1], FIELDS[i][2]
    if value ~= false or not FIELDS[i][3] then
      if type(value) ~= kind then
        return nil
      end
      if kind == 'number' and not (value >= 0 and value <= LAST and value % 1 == 0) then
        return nil
      end
      job[name] = value
    end
  end
  if job.place and job.place > MAX_SEQUENCE then
    return nil
  end
  return job
end

-- What differs from a fresh job, nil if it cannot be read; and whether anything does.
local function load(key)
  local packed = call('HGET', RECORDS, key)
  if not packed then
    return fresh(), false
  end
  local known, fields = pcall(cmsgpack.unpack, packed)
  return known and read(fields) or nil, true
end

local function pack(job)
  local fields = {
    job.unique or false,
    job.deadline or false,
    job.failures,
    job.failed,
    job.crashes,
    job.snoozes,
    job.progress or false,
    job.cancelled,
    job.reason,
  }
  if job.place then
    fields[10], fields[11] = job.place, job.since
  end
  return cmsgpack.pack(fields)
end

local function save(key, job)
  local differs = job.unique or job.deadline or job.progress or job.cancelled or job.place
  if differs or job.reason ~= '' or job.failures + job.failed + job.crashes + job.snoozes > 0 then
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

-- The member of a job in READY.
local function member(key, job)
  if not job.place then
    return key
  end
  return sub(key, 1, 1) .. format('%013xr%014x', job.place, job.since) .. key
end

local function make_ready(key, job)
  call('ZADD', READY, '0', member(key, job))
  wake()
end

-- Makes a job claimable again, behind all that entered or came back until now.
local function come_back(key, job)
  job.place = tonumber(call('HGET', CONTROL, 'sequence') or 0) or 0
  job.since = now
  save(key, job)
  make_ready(key, job)
end

-- Makes a job that was delivered wait for its time: back at once without a delay.
local function put_back(key, job, delay)
  if delay == 0 then
    come_back(key, job)
    return
  end
  save(key, job)
  call('ZADD', TIMED, number(after(delay)), key)
end

-- Frees a unique key, unless another job holds it by now.
local function free_unique(unique, key)
  if call('HGET', UNIQUE, unique) == key then
    call('HDEL', UNIQUE, unique)
  end
end

-- Ends a job, taken from its set already: all that is stored of it goes.
local function forget(key)
  local job, differs = load(key)
  if job and job.unique then
    free_unique(job.unique, key)
  end
  call('HDEL', JOBS, key)
  if differs then
    call('HDEL', RECORDS, key, key .. 'c')
  end
end

local function end_cancelled(key)
  forget(key)
  count('cancelled')
end

-- How many of the first dead letters a policy does not keep, up to a limit.
local function surplus_dead(policy, limit)
  local beyond = math.max(math.min(call('ZCARD', DEAD) - policy.keep_dead, limit), 0)
  if policy.keep_dead_for < 0 or policy.keep_dead_for > now or beyond == limit then
    return beyond
  end
  local last = number(now - policy.keep_dead_for)
  return math.max(beyond, #call('ZRANGEBYSCORE', DEAD, '-inf', last, 'LIMIT', 0, limit))
end

-- Drops the oldest dead letters beyond the cap, and those that are too old, up to a limit.
local function evict(policy, limit)
  for _, dead in ipairs(first(DEAD, surplus_dead(policy, limit))) do
    call('ZREM', DEAD, dead)
    if is_key(dead) then
      forget(dead)
      count('evicted')
    end
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

-- Buries a job that no worker failed: its budget is spent, or something of it is missing.
local function bury_spent(key, job, why, policy)
  if job.reason ~= '' then
    why = why .. '; last failure: ' .. job.reason
  end
  job.reason = cut(why)
  bury(key, job, policy)
end

-- A policy as the client sends it.
local function read_policy(text)
  local failures, crashes, deliveries, dead, age =
      string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%-?%d+)$')
  return {
    failures = tonumber(failures),
    crashes = tonumber(crashes),
    deliveries = tonumber(deliveries),
    keep_dead = tonumber(dead),
    keep_dead_for = tonumber(age),
  }
end
