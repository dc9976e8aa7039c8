-- The keys of a partition, in the order in which every script declares them:
--   CONTROL  HASH  format, paused, token, sequence, done, cancelled, evicted, and the last request
--                  of each lane as "lane:NAME": "REQUEST KEPT_UNTIL VERB REPLY"
--   JOBS     HASH  of the job KEY: KEY its body, KEYm what differs from a fresh job, KEYc its checkpoint
--   READY    ZSET  KEY at 0: the keys' own order is that of priority, then age
--   TIMED    ZSET  KEY at the time when it is due
--   LEASES   ZSET  "KEY:TOKEN" at the time when the lease ends, and at the end one that is no lease
--   DEAD     ZSET  KEY at the time of its death
--   UNIQUE   HASH  unique key: the KEY of the job that holds it
--   WINDOWS  ZSET  unique key at the end of its window
--   LANES    ZSET  "lane:NAME" at the time when it is forgotten
--   WAKE     LIST  one element at most: somebody should look here
-- All times are whole microseconds since 1970 by the server's clock, below 2^53. A number is
-- formatted by "%.0f": tostring and .. lose digits.
local CONTROL, JOBS, READY, TIMED, LEASES, DEAD, UNIQUE, WINDOWS, LANES, WAKE = unpack(KEYS)
local FORMAT = '1'
local LAST = 9007199254740991
local LANE_LIFETIME, LANE_SLACK, PAST_AT_ONCE = 600000000, 60000000, 2
local call = redis.call
local format, sub = string.format, string.sub
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]

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
    call('RPUSH', WAKE, 1)
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
