
-- Stores jobs as they are. ARGV: six numbers, how many jobs, how many unique keys; for each job its key,
-- state, time, body, checkpoint, history, unique key and reason; for each unique key the key, its holder
-- and its end.
-- Answers how many jobs were added, and how many were there already with the same body.
local control = call(
  'HMGET', CONTROL, 'format', 'largest', 'sequence', 'token', 'done', 'cancelled', 'evicted', 'paused')
check_known(control[1])
local count_of_jobs, count_of_unique = tonumber(ARGV[7]), tonumber(ARGV[8])
local JOB, KEYS_AT = 8, 8 + 8 * count_of_jobs
local present, added, longest = {}, 0, 0

-- Everything is checked before anything is written.
for i = 0, count_of_jobs - 1 do
  local at = 9 + JOB * i
  local body = call('HGET', JOBS, ARGV[at])
  if body and body ~= ARGV[at + 3] then
    error({ err = 'KVTAKEN a job ' .. ARGV[at] })
  end
  present[i] = body ~= false
end
for i = 0, count_of_unique - 1 do
  local at = KEYS_AT + 1 + 3 * i
  local holder = call('HGET', UNIQUE, ARGV[at])
  if holder and holder ~= ARGV[at + 1] then
    error({ err = 'KVTAKEN a unique key of ' .. ARGV[at + 1] })
  end
end

local largest = control[2]
if not control[1] then
  largest = make()
end

local function bring_in(at)
  local key, state, time, body, saved = unpack(ARGV, at, at + 4)
  local job, names, i = fresh(), { 'failures', 'failed', 'crashes', 'snoozes', 'progress', 'deadline',
    'place', 'since' }, 0
  for word in string.gmatch(ARGV[at + 5], '[^ ]+') do
    i = i + 1
    if i == 9 then
      job.cancelled = word == '1'
    elseif word ~= '-' then
      job[names[i]] = tonumber(word)
    end
  end
  job.unique = ARGV[at + 6] ~= '' and ARGV[at + 6] or nil
  job.reason = ARGV[at + 7]
  call('HSET', JOBS, key, body)
  longest = math.max(longest, #body)
  if job.progress then
    call('HSET', RECORDS, key .. 'c', saved)
  end
  save(key, job)
  if state == 'r' then
    make_ready(key, job)
  else
    call('ZADD', state == 't' and TIMED or DEAD, time, key)
  end
end

for i = 0, count_of_jobs - 1 do
  if not present[i] then
    bring_in(9 + JOB * i)
    added = added + 1
  end
end
for i = 0, count_of_unique - 1 do
  local at = KEYS_AT + 1 + 3 * i
  call('HSET', UNIQUE, ARGV[at], ARGV[at + 1])
  if ARGV[at + 2] ~= '' then
    call('ZADD', WINDOWS, ARGV[at + 2], ARGV[at])
  end
end
for i, name in ipairs({ 'sequence', 'token', 'done', 'cancelled', 'evicted', 'paused' }) do
  if tonumber(ARGV[i]) > tonumber(control[i + 2] or 0) then
    call('HSET', CONTROL, name, ARGV[i])
  end
end
if largest and longest > largest + 0 then
  call('HSET', CONTROL, 'largest', longest)
end
return { added, count_of_jobs - added }
