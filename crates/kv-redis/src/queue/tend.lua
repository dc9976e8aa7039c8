
-- Moves what time has changed. ARGV: at most how many of each kind, the policy.
-- Answers how many were promoted, recovered, buried and forgotten, whether more is due, and when
-- to come back, in microseconds, or -1.
local EXPIRED = 'its time to live ended before it was claimed'
local CRASHED = 'its leases ended unsettled too often'
local limit, policy = tonumber(ARGV[1]), read_policy(ARGV[2])
check_format(call('HGET', CONTROL, 'format'))
local promoted, recovered, buried, forgotten, more = 0, 0, 0, 0, 0

for _, key in ipairs(past(TIMED, limit)) do
  local job = load(key)
  call('ZREM', TIMED, key)
  if is_expired(job) then
    bury_spent(key, job, EXPIRED, policy)
    buried = buried + 1
  else
    place(key, 0)
    promoted = promoted + 1
  end
end

for _, lease in ipairs(past(LEASES, limit)) do
  local key = sub(lease, 1, 14)
  local job = load(key)
  call('ZREM', LEASES, lease)
  recovered = recovered + 1
  job.crashes = job.crashes + 1
  if job.cancelled then
    forget(key)
    count('cancelled')
  elseif job.crashes >= policy.crashes then
    bury_spent(key, job, CRASHED, policy)
    buried = buried + 1
  else
    save(key, job)
    place(key, 0)
  end
end

evict(policy, limit)
forgotten = #forget_past(WINDOWS, UNIQUE, limit) + #forget_past(LANES, CONTROL, limit)
write_counters()

for _, set in ipairs({ TIMED, LEASES, WINDOWS, LANES }) do
  if #past(set, 1) > 0 then
    more = 1
  end
end
if call('ZCARD', DEAD) > policy.keep_dead then
  more = 1
end
return { promoted, recovered, buried, forgotten, more, from_now(next_due()) }
