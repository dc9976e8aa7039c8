
-- When the next job is due, the next lease ends or the next blocked group may start a job; nil if
-- nothing is scheduled.
local function next_due()
  local due, unblocked = next_due_job(), next_unblocked()
  return due and unblocked and math.min(due, unblocked) or due or unblocked
end

-- What happens to a single job.

local REASON_BYTES, EVICTIONS = 1024, 2
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
  if groups then
    groups.flush()
  end
  for counter, by in pairs(counted) do
    call('HINCRBY', CONTROL, counter, by)
  end
end

local function fresh(group)
  return {
    failures = 0, failed = 0, crashes = 0, snoozes = 0, cancelled = false, reason = '', group = group,
  }
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
  { 'place', 'number', true },
  { 'since', 'number', true },
  { 'group', 'string' },
}

-- A record of its fields, which end with the reason where the job never came back, and have a group
-- only where the job does; nil if they are none, or name a group where the partition has none.
local function read(fields)
  if type(fields) ~= 'table' or #fields ~= 9 and #fields ~= 11 and #fields ~= (GROUPED and 12) then
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
  if job.place and job.place > MAX_SEQUENCE or (job.place == nil) ~= (job.since == nil) then
    return nil
  end
  return job
end

-- What stands before the group in the record of a job that has nothing else.
local ONLY_GROUP = '\156\194\194\0\0\0\0\194\194\160\194\194'

-- The job of a stored record, nil if it cannot be read; and which fields of RECORDS it may have.
local function unpack_job(packed)
  if not packed then
    return fresh()
  end
  if GROUPED and sub(packed, 1, 12) == ONLY_GROUP then
    local known, group = pcall(cmsgpack.unpack, sub(packed, 13))
    return known and type(group) == 'string' and fresh(group) or nil, 'its record'
  end
  local known, fields = pcall(cmsgpack.unpack, packed)
  return known and read(fields) or nil, 'all'
end

-- Records that were read together and are not loaded yet, by their keys.
local ahead = {}

local function read_ahead(keys)
  local records = #keys > 0 and call('HMGET', RECORDS, unpack(keys)) or {}
  for i, key in ipairs(keys) do
    ahead[key] = records[i]
  end
end

-- What differs from a fresh job, nil if it cannot be read; and which fields of RECORDS it may have.
local function load(key)
  local packed = ahead[key]
  if packed == nil then
    packed = call('HGET', RECORDS, key)
  end
  ahead[key] = nil
  return unpack_job(packed)
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
  if job.place or job.group then
    fields[10], fields[11], fields[12] = job.place or false, job.since or false, job.group
  end
  return cmsgpack.pack(fields)
end

local function save(key, job)
  local differs = job.unique or job.deadline or job.progress or job.cancelled or job.place
      or job.group
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
  if job.group then
    grouped().queue(job.group, key, member(key, job))
    return
  end
  call('ZADD', READY, '0', member(key, job))
  wake()
end

-- Takes a job from the ready ones; whether it was there.
local function take_ready(key, job)
  local name = member(key, job)
  if job.group then
    return grouped().take(job.group, name)
  end
  return call('ZREM', READY, name) == 1
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

-- The bodies and the fields of RECORDS that go together, while jobs that are done are collected.
local gone_bodies, gone_records

-- Ends a job, taken from its set already: all that is stored of it goes. Answers its record.
local function forget(key)
  local job, fields = load(key)
  if job and job.unique then
    free_unique(job.unique, key)
  end
  local records = gone_records or {}
  if fields then
    records[#records + 1] = key
  end
  if fields == 'all' then
    records[#records + 1], records[#records + 2] = key .. 'c', key .. 'h'
  end
  if gone_bodies then
    gone_bodies[#gone_bodies + 1] = key
  else
    call('HDEL', JOBS, key)
    call_with('HDEL', RECORDS, records)
  end
  return job
end

local function end_cancelled(key)
  forget(key)
  count('cancelled')
end

-- How many of the first members of a set are beyond a number or an age, up to a limit.
local function surplus(set, most, age, limit)
  local beyond = math.max(math.min(call('ZCARD', set) - most, limit), 0)
  if age < 0 or age > now or beyond == limit then
    return beyond
  end
  return math.max(beyond, #call('ZRANGEBYSCORE', set, '-inf', number(now - age), 'LIMIT', 0, limit))
end

-- How many of the first dead letters a policy does not keep, up to a limit.
local function surplus_dead(policy, limit)
  return surplus(DEAD, policy.keep_dead, policy.keep_dead_for, limit)
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

-- A policy as the client sends it; how many done jobs are kept, and how long, only if any are.
local function read_policy(text)
  local failures, crashes, deliveries, dead, age, terms, done, done_for =
      string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%-?%d+) ?(%S*) ?(%d*) ?(%-?%d*)$')
  return {
    failures = tonumber(failures),
    crashes = tonumber(crashes),
    deliveries = tonumber(deliveries),
    keep_dead = tonumber(dead),
    keep_dead_for = tonumber(age),
    keep_done = tonumber(done) or 0,
    keep_done_for = tonumber(done_for) or -1,
    group = terms ~= '' and terms or '-1:0:0:1',
  }
end
