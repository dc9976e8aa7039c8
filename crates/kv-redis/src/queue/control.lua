
-- An operator's action. ARGV: its name, a limit or a delay, then keys of jobs; or a group, and its terms or -
-- for none, or how long it pauses. Answers how many jobs were changed, and whether the limit left
-- some.
local action, limit = ARGV[1], tonumber(ARGV[2])
-- How many milliseconds the counters of a partition live that holds nothing else: a week.
local COUNTERS_LIFETIME = '604800000'
local control = call('HMGET', CONTROL, 'format', 'paused')
check_known(control[1])
if not control[1] then
  -- There is nothing but counters.
  local sets = action == 'pause' or action == 'limit_group' and ARGV[4] ~= '-'
      or action == 'pause_group' and ARGV[4] ~= '0'
  if not sets then
    return { 0, 0 }
  end
  make()
end
local affected, more = 0, false

local function pause(paused)
  if (control[2] or '0') ~= paused then
    call('HSET', CONTROL, 'paused', paused)
    affected = 1
  end
  if paused == '0' and (call('ZCARD', READY) > 0 or call('EXISTS', GROUPED) == 1) then
    wake()
  end
end

-- Removes a dead letter.
local function discard(key)
  if call('ZREM', DEAD, key) == 1 then
    forget(key)
    count('evicted')
    affected = affected + 1
    return true
  end
  return false
end

-- Removes a done job.
local function discard_done(key)
  if call('ZREM', DONE, key) == 1 then
    forget_done(key)
    affected = affected + 1
  end
end

-- Lets a waiting job wait from now on, or be claimed at once. The first to become due wakes.
local function reschedule(key, delay)
  local job = load(key) or fresh()
  local is_timed = call('ZREM', TIMED, key) == 1
  if delay == 0 and is_timed then
    return_to_ready(key, job, now)
    affected = affected + 1
  elseif delay > 0 and (is_timed or take_ready(key, job)) then
    call('ZADD', TIMED, number(after(delay)), key)
    if call('ZRANGE', TIMED, 0, 0)[1] == key then
      wake()
    end
    affected = affected + 1
  end
end

-- Tells whoever runs a job that it is cancelled.
local function mark(key, job)
  job.cancelled = true
  if job.unique then
    free_unique(job.unique, key)
    job.unique = nil
  end
  save(key, job)
  affected = affected + 1
end

local function cancel(key)
  local job = load(key) or fresh()
  if take_ready(key, job) or call('ZREM', TIMED, key) == 1 then
    end_cancelled(key)
    affected = affected + 1
  elseif not discard(key) and not job.cancelled and call('HEXISTS', JOBS, key) == 1 then
    mark(key, job)
  end
end

-- Makes a dead letter, taken from its set already, claimable, with fresh budgets.
local function revive(key)
  local dead = load(key) or fresh()
  carry_note(key, dead)
  local job = fresh()
  job.unique, job.progress, job.group = dead.unique, dead.progress, dead.group
  come_back(key, job)
  affected = affected + 1
end

local function redrive()
  if #ARGV == 2 then
    for _, key in ipairs(first(DEAD, limit)) do
      call('ZREM', DEAD, key)
      if is_key(key) then
        revive(key)
      end
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
      call('ZREM', DEAD, ARGV[i])
      revive(ARGV[i])
    end
  end
end

-- Removes everything but the counters, which stay for a while, so that no key and no token comes
-- twice. A partition that is paused stays. UNLINK frees large keys in another thread.
local function purge()
  for _, set in ipairs({ READY, TIMED, LEASES, DEAD }) do
    affected = affected + call('ZCOUNT', set, '-inf', '(inf')
  end
  affected = affected + count_queued()
  local fields, kept =
    { 'token', 'sequence', 'done', 'cancelled', 'evicted', 'turn', 'plain_turn', 'paused' }, {}
  local is_paused = control[2] == '1'
  for i, value in ipairs(call('HMGET', CONTROL, unpack(fields, 1, is_paused and 8 or 7))) do
    if value then
      kept[#kept + 1] = fields[i]
      kept[#kept + 1] = value
    end
  end
  call('UNLINK', CONTROL, JOBS, RECORDS, READY, TIMED, LEASES, DEAD, UNIQUE, WINDOWS, SESSIONS,
    GROUPED, GROUPS, DONE)
  if #kept > 0 then
    call('HSET', CONTROL, unpack(kept))
  end
  if is_paused then
    make()
  else
    call('PEXPIRE', CONTROL, COUNTERS_LIFETIME)
    call('PEXPIRE', WAKE, COUNTERS_LIFETIME)
  end
end

if action == 'pause' then
  pause('1')
elseif action == 'resume' then
  pause('0')
elseif action == 'cancel' then
  for i = 3, #ARGV do
    cancel(ARGV[i])
  end
elseif action == 'discard' then
  for i = 3, #ARGV do
    if not discard(ARGV[i]) then
      discard_done(ARGV[i])
    end
  end
elseif action == 'reschedule' then
  for i = 3, #ARGV do
    reschedule(ARGV[i], limit)
  end
elseif action == 'redrive' then
  redrive()
elseif action == 'limit_group' then
  affected = grouped().limit(ARGV[3], ARGV[4]) and 1 or 0
elseif action == 'pause_group' then
  affected = grouped().pause(ARGV[3], ARGV[4] == '0' and 0 or after(ARGV[4])) and 1 or 0
else
  purge()
end
write_counters()
return { affected, more and 1 or 0 }
