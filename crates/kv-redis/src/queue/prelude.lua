
-- What the scripts share.

local MAX_BATCH = 1000

local function corrupt(what)
  error({ err = 'KVCORRUPT ' .. what .. ' cannot be read' })
end

-- Whether a text is the key of a job.
local function is_key(text)
  return #text == 14 and string.find(text, '^[0-9a-f][01][0-9a-f]+$') ~= nil
end

local function number(value)
  return format('%.0f', value)
end

-- The time this long from now.
local function after(micros)
  return math.min(now + micros, LAST)
end

-- Calls a command with all values: a call has room for some thousand.
local function call_with(command, key, values)
  for from = 1, #values, 2000 do
    call(command, key, unpack(values, from, math.min(from + 1999, #values)))
  end
end

-- Up to limit of the first members whose time has come.
local function past(set, limit)
  if limit <= 0 then
    return {}
  end
  return call('ZRANGEBYSCORE', set, '-inf', number(now), 'LIMIT', 0, limit)
end

-- When the next job is due or the next lease ends; nil if neither is scheduled.
local function next_due_job()
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
  if stored and stored ~= FORMAT and stored ~= GROUPED_FORMAT then
    error({ err = 'KVFORMAT ' .. stored })
  end
end

-- Whether a partition has neither jobs nor sessions nor groups.
local function is_blank()
  return call('EXISTS', READY, TIMED, DEAD, SESSIONS, GROUPED or READY) == 0
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
