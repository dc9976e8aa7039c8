
-- An operator's action. ARGV: its name, a limit, then keys of jobs.
-- Answers how many jobs were changed, and whether the limit left some.
local action, limit = ARGV[1], tonumber(ARGV[2])
local control = call('HMGET', CONTROL, 'format', 'paused')
check_format(control[1])
local affected, more = 0, false

local function pause(paused)
  if (control[2] or '0') ~= paused then
    call('HSET', CONTROL, 'paused', paused)
    affected = 1
  end
  if paused == '0' and call('ZCARD', READY) > 0 then
    wake()
  end
end

local function cancel(key)
  if call('ZREM', READY, key) == 1 or call('ZREM', TIMED, key) == 1 then
    forget(key)
    count('cancelled')
    affected = affected + 1
  elseif not call('ZSCORE', DEAD, key) and call('HEXISTS', JOBS, key) == 1 then
    local job = load(key)
    if not job.cancelled then
      job.cancelled = true
      save(key, job)
      affected = affected + 1
    end
  end
end

-- Makes a dead letter claimable, with fresh budgets.
local function revive(key)
  local dead = load(key)
  local job = fresh()
  job.unique, job.progress = dead.unique, dead.progress
  call('ZREM', DEAD, key)
  save(key, job)
  place(key, 0)
  affected = affected + 1
end

local function redrive()
  if #ARGV == 2 then
    for _, key in ipairs(first(DEAD, limit)) do
      revive(key)
    end
    more = call('ZCARD', DEAD) > 0
    return
  end
  for i = 3, #ARGV do
    if call('ZSCORE', DEAD, ARGV[i]) then
      if affected == limit then
        more = true
        return
      end
      revive(ARGV[i])
    end
  end
end

-- Removes jobs, and when none is left what else there is; counters and a pause stay, so that no
-- key and no token comes twice.
local function purge()
  for _, set in ipairs({ READY, TIMED, LEASES, DEAD }) do
    local members = limit > affected
        and call('ZRANGEBYSCORE', set, '-inf', '(inf', 'LIMIT', 0, limit - affected) or {}
    for _, member in ipairs(members) do
      call('ZREM', set, member)
      forget(sub(member, 1, 14))
      affected = affected + 1
    end
    if call('ZCOUNT', set, '-inf', '(inf') > 0 then
      more = true
      return
    end
  end
  local fields = { 'format', 'paused', 'token', 'sequence', 'done', 'cancelled', 'evicted' }
  local kept = {}
  for i, value in ipairs(call('HMGET', CONTROL, unpack(fields))) do
    if value then
      kept[#kept + 1] = fields[i]
      kept[#kept + 1] = value
    end
  end
  call('UNLINK', UNIQUE, WINDOWS, LANES, CONTROL)
  call('HSET', CONTROL, unpack(kept))
end

if action == 'pause' then
  pause('1')
elseif action == 'resume' then
  pause('0')
elseif action == 'cancel' then
  for i = 3, #ARGV do
    cancel(ARGV[i])
  end
elseif action == 'redrive' then
  redrive()
else
  purge()
end
write_counters()
return { affected, more and 1 or 0 }
