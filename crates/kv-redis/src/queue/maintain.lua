
-- Moves what time has changed. ARGV: at most how many of each kind, the policy.
-- Answers how many were promoted, recovered, buried and forgotten, how many groups may start jobs
-- again, whether more is due, and when to come back, in microseconds, or -1.
local EXPIRED = 'its time to live ended before it was claimed'
local CRASHED = 'its leases ended unsettled too often'
local ENDED = 'its lease ended before it was settled'
local limit, policy = tonumber(ARGV[1]), read_policy(ARGV[2])
local control = call('HMGET', CONTROL, 'format', 'marks', 'sequence')
check_known(control[1])
if not control[1] then
  return { 0, 0, 0, 0, 0, 0, -1 }
end
local promoted, recovered, buried, forgotten, more = 0, 0, 0, 0, 0

local function set_aside(key, job, why)
  bury_spent(key, job, why, policy)
  buried = buried + 1
end

local function promote(key, due)
  local job = load(key)
  if not job then
    set_aside(key, fresh(), RECORD)
  elseif job.cancelled then
    end_cancelled(key)
  elseif is_expired(job) then
    set_aside(key, job, EXPIRED)
  else
    return_to_ready(key, job, due)
    promoted = promoted + 1
  end
end

local come = limit > 0 and call('ZRANGEBYSCORE', TIMED, '-inf', number(now), 'WITHSCORES', 'LIMIT', 0,
  limit) or {}
for i = 1, #come, 2 do
  local key = come[i]
  call('ZREM', TIMED, key)
  if is_key(key) then
    promote(key, tonumber(come[i + 1]))
  end
end

local function recover(key)
  local job = load(key)
  if not job then
    set_aside(key, fresh(), RECORD)
    return
  end
  free_slot(job)
  if job.cancelled then
    end_cancelled(key)
  else
    note_past(key, job, 'o', ENDED)
    job.crashes = job.crashes + 1
    if job.crashes >= policy.crashes then
      set_aside(key, job, CRASHED)
    else
      come_back(key, job)
    end
  end
end

for _, lease in ipairs(past(LEASES, limit)) do
  call('ZREM', LEASES, lease)
  local key = sub(lease, 1, 14)
  if is_key(key) and string.find(lease, '^:%d+$', 15) then
    recovered = recovered + 1
    recover(key)
  end
end

local has_groups = call('EXISTS', GROUPED) == 1
local unblocked = has_groups and grouped().unblock(limit) or 0

evict(policy, limit)
drop_done(policy, limit)
forgotten = #forget_past(WINDOWS, UNIQUE, limit) + #forget_past(SESSIONS, CONTROL, limit)
if has_groups then
  forgotten = forgotten + grouped().forget(limit)
  more = (grouped().is_past('b') or grouped().is_past('g')) and 1 or 0
end
write_counters()
mark_entered(control[2], tonumber(control[3] or 0))

for _, set in ipairs({ TIMED, LEASES, WINDOWS, SESSIONS }) do
  if #past(set, 1) > 0 then
    more = 1
  end
end
if surplus_dead(policy, 1) > 0 or surplus_done(policy, 1) > 0 then
  more = 1
end
return { promoted, recovered, buried, forgotten, unblocked, more, from_now(next_due()) }
