-- Looks into partitions for what nobody was told of. KEYS: of each partition its CONTROL, READY, TIMED,
-- LEASES and GROUPED. Answers the numbers of those, from 0 in the order of the keys, in which a job is
-- claimable, due or past its lease, or a group may start a job again, but for paused ones.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function has_come(set)
  local time = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
  return time and tonumber(time) <= now
end

local function may_start(grouped)
  if redis.call('EXISTS', grouped) == 0 then
    return false
  end
  local blocked = redis.call('ZRANGEBYLEX', grouped, '[b', '(c', 'LIMIT', 0, 1)[1]
  return blocked and tonumber(string.sub(blocked, 2, 15), 16) <= now
      or #redis.call('ZRANGEBYLEX', grouped, '[r', '(s', 'LIMIT', 0, 1) > 0
end

local function has_work(control, ready, timed, leases, grouped)
  return (redis.call('ZCARD', ready) > 0 or has_come(timed) or has_come(leases) or may_start(grouped))
      and redis.call('HGET', control, 'paused') ~= '1'
end

local found = {}
for at = 1, #KEYS, 5 do
  if has_work(KEYS[at], KEYS[at + 1], KEYS[at + 2], KEYS[at + 3], KEYS[at + 4]) then
    found[#found + 1] = (at - 1) / 5
  end
end
return found
