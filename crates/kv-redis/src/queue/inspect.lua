
-- Looks, and changes nothing. ARGV: what at, a limit, the key to start behind or "".
local what, limit, behind = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local control = call('HMGET', CONTROL, 'format', 'paused', 'sequence', 'done', 'cancelled', 'evicted')
check_known(control[1])

-- Answers the lengths of the sets, what was ever added, done, cancelled and evicted, and whether
-- claims are paused.
if what == 'counts' then
  local counts = {}
  for i, set in ipairs({ READY, TIMED, LEASES, DEAD }) do
    counts[i] = call('ZCOUNT', set, '-inf', '(inf')
  end
  for i = 3, 6 do
    counts[i + 2] = tonumber(control[i] or 0)
  end
  counts[9] = control[2] == '1' and 1 or 0
  return counts
end

local reply = { 0 }
local function tell(key, ...)
  local body = call('HGET', JOBS, key) or corrupt("a job's body")
  for _, value in ipairs({ key, body, ... }) do
    reply[#reply + 1] = value
  end
end

-- Answers 0, then for each job that would be claimed next its key and body.
if what == 'peek' then
  for _, key in ipairs(first(READY, limit)) do
    tell(key)
  end
  return reply
end

-- Answers 0, then for each dead letter its key, body, time of death, failures, crashes, deliveries
-- and reason.
local from = behind ~= '' and call('ZRANK', DEAD, behind)
from = from and from + 1 or 0
local letters = limit > 0 and call('ZRANGE', DEAD, from, from + limit - 1, 'WITHSCORES') or {}
for i = 1, #letters, 2 do
  local job = load(letters[i])
  tell(letters[i], letters[i + 1], job.failures, job.crashes, ended(job), job.reason)
end
return reply
