-- KEYS[1]  the limit: the time when, at its rate, everything so far would have happened
-- ARGV[1]  the time of one event, ARGV[2] of a whole burst, ARGV[3] of these events: microseconds
-- The answer is how many more may happen, or less than zero: the microseconds to wait.
-- A time farther ahead than a burst comes from a clock that was set back since.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = now + ARGV[2]
local stored = tonumber(redis.call('GET', KEYS[1]) or now) or now
local next = math.min(math.max(stored, now), full) + ARGV[3]
if next > full then
  return full - next
end
local millis = math.ceil((next - now) / 1000)
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', string.format('%.0f', millis))
return math.floor((full - next) / ARGV[1])
