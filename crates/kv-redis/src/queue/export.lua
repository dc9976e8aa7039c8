
-- Reads a page of everything stored of a partition. ARGV: which set, or unique keys; the member or the
-- cursor behind which to begin, or ""; a limit; how many bytes of bodies and checkpoints.
-- Answers the numbers of the partition, then where the page ends, "" if nothing was left, and how many
-- jobs are broken; then for each job its key, time, body, checkpoint, history, unique key and reason, or
-- for each unique key the key, its holder and its end.
local what, behind, limit, bytes = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local control = call(
  'HMGET', CONTROL, 'format', 'sequence', 'token', 'done', 'cancelled', 'evicted', 'paused')
check_known(control[1])
local numbers = {}
for i = 2, 7 do
  numbers[i - 1] = control[i] or '0'
end
local reply, last, broken, sum = { table.concat(numbers, ' ') }, '', 0, nil

local function tell(...)
  for _, value in ipairs({ ... }) do
    reply[#reply + 1] = value
  end
end

-- What a job is, by a member of a set; whether there was room for it.
local function image(key, time)
  local job, body = load(key), call('HGET', JOBS, key)
  local state = ''
  if job and job.progress then
    state = call('HGET', RECORDS, key .. 'c')
  end
  if not (job and body and state) then
    broken = broken + 1
    return true
  end
  if sum and sum + #body + #state > bytes then
    return false
  end
  sum = (sum or 0) + #body + #state
  local history = {}
  for i, name in ipairs({ 'failures', 'failed', 'crashes', 'snoozes', 'progress', 'deadline', 'place',
      'since' }) do
    history[i] = job[name] and number(job[name]) or '-'
  end
  history[9] = job.cancelled and '1' or '0'
  tell(key, time, body, state, table.concat(history, ' '), job.unique or '', job.reason)
  return true
end

if what == 'u' then
  local page = call('HSCAN', UNIQUE, behind == '' and '0' or behind, 'COUNT', limit)
  last = page[1] == '0' and '' or page[1]
  for i = 1, #page[2], 2 do
    local unique, holder = page[2][i], page[2][i + 1]
    if is_key(holder) then
      tell(unique, holder, call('ZSCORE', WINDOWS, unique) or '')
    else
      broken = broken + 1
    end
  end
else
  local set = ({ r = READY, t = TIMED, l = LEASES, d = DEAD })[what]
  local rank = behind ~= '' and call('ZRANK', set, behind)
  local from = rank and rank + 1 or 0
  local members = call('ZRANGE', set, from, from + limit - 1, 'WITHSCORES')
  for i = 1, #members, 2 do
    local key = members[i]
    if what == 'r' then
      key = sub(key, -14)
    elseif what == 'l' then
      key = sub(key, 1, 14)
    end
    -- The last of the leases is none.
    if members[i + 1] ~= 'inf' then
      if not is_key(key) then
        broken = broken + 1
      elseif not image(key, members[i + 1]) then
        break
      end
      last = members[i]
    end
  end
end
table.insert(reply, 2, last)
table.insert(reply, 3, broken)
return reply
