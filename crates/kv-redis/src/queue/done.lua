
-- Jobs that are done and kept.

-- How many of the first done jobs a policy does not keep, up to a limit. One that keeps none leaves
-- them alone.
local function surplus_done(policy, limit)
  return policy.keep_done > 0 and surplus(DONE, policy.keep_done, policy.keep_done_for, limit) or 0
end

-- Forgets a done job, taken from its set already.
local function forget_done(key)
  forget(key)
  call('HDEL', RECORDS, key .. 'c')
end

-- Drops the oldest done jobs beyond the cap, and those that are too old, up to a limit.
local function drop_done(policy, limit)
  for _, done in ipairs(first(DONE, surplus_done(policy, limit))) do
    call('ZREM', DONE, done)
    if is_key(done) then
      forget_done(done)
    end
  end
end

-- Keeps a job that is done, with what it returned in place of its checkpoint. Answers its record.
local function keep(key, value, policy)
  local job = load(key) or fresh()
  if job.unique then
    free_unique(job.unique, key)
  end
  job.unique, job.cancelled, job.deadline = nil, false, nil
  if value then
    call('HSET', RECORDS, key .. 'c', value)
  else
    call('HDEL', RECORDS, key .. 'c')
  end
  call('HDEL', JOBS, key)
  save(key, job)
  call('ZADD', DONE, number(now), key)
  drop_done(policy, EVICTIONS)
  return job
end
