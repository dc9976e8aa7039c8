
local EXPIRED = 'its time to live ended before it was claimed'
local DELIVERED = 'it was delivered too often'
local policy = read_policy(ARGV[7])
check_format(control[1])
local kept, repeated = recall(control[5], request, 'E')
if limit > 0 and not repeated and tonumber(control[3] or 0) >= LAST then
  return redis.error_reply('KVEXHAUSTED the tokens')
end

-- Adds a delivery to a reply.
local function tell(reply, key, job, body)
  if not body then
    corrupt("a job's body")
  end
  local head = key
  if ended(job) > 0 or job.progress then
    head = key .. ' ' .. number(job.failed + job.crashes + 1) .. ' ' .. number(ended(job) + 1)
  end
  if job.progress then
    head = head .. ' ' .. number(job.progress)
  end
  reply[#reply + 1] = head
  reply[#reply + 1] = body
  if job.progress then
    reply[#reply + 1] = call('HGET', RECORDS, key .. 'c') or corrupt('a checkpoint')
  end
end

if repeated then
  local settled, operated, token, due, keys = string.match(repeated, '^(%a*) (%a*) (%d+) (%-?%d+) (%x*)$')
  if not settled then
    corrupt('a lane')
  end
  local reply = { due == '-1' and -1 or from_now(tonumber(due)), tonumber(token), settled, operated }
  for at = 1, #keys, 14 do
    local key = sub(keys, at, at + 13)
    if call('ZSCORE', LEASES, key .. ':' .. token) then
      tell(reply, key, load(key), call('HGET', JOBS, key))
    end
  end
  return reply
end

local function ack(lease)
  if call('ZREM', LEASES, lease) == 0 then
    return 's'
  end
  forget(sub(lease, 1, 14))
  count('done')
  return 'a'
end

-- Ends a delivery, whose lease is gone already, but not the job.
local function hand_back(key, job, letter, delay, reason)
  if letter == 's' then
    job.snoozes = job.snoozes + 1
  else
    job.failures = job.failures + 1
    job.failed = job.failed + 1
    job.reason = cut(reason)
  end
  if letter == 'f' or letter == 'r' and job.failures >= policy.failures then
    bury(key, job, policy)
    return 'b'
  end
  save(key, job)
  place(key, tonumber(delay))
  return 'a'
end

local function operate(letter, lease, value, bytes)
  if not call('ZSCORE', LEASES, lease) then
    return 's'
  end
  local key = sub(lease, 1, 14)
  local job = load(key)
  if job.cancelled then
    call('ZREM', LEASES, lease)
    forget(key)
    count('cancelled')
    return 'c'
  end
  if letter == 'e' then
    call('ZADD', LEASES, number(after(value)), lease)
    return 'a'
  end
  if letter == 'c' then
    call('HSET', RECORDS, key .. 'c', bytes)
    local progress = tonumber(value)
    if not job.progress or progress > job.progress then
      job.progress = progress
      job.failures = 0
      save(key, job)
    end
    return 'a'
  end
  call('ZREM', LEASES, lease)
  return hand_back(key, job, letter, value, bytes)
end

local settled, operated = {}, {}
for i = 1, acks do
  settled[i] = ack(ARGV[7 + i])
end
for i = 1, operations do
  local at = 7 + acks + 4 * i - 4
  operated[i] = operate(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
end
local reply = { -1, 0, table.concat(settled), table.concat(operated) }

-- Delivers a ready job, or buries it.
local function deliver(key, token, till)
  local job = load(key)
  local why = is_expired(job) and EXPIRED or ended(job) >= policy.deliveries and DELIVERED
  if why then
    call('ZREM', READY, key)
    bury_spent(key, job, why, policy)
    return false
  end
  tell(reply, key, job, call('HGET', JOBS, key))
  call('ZREM', READY, key)
  call('ZADD', LEASES, till, key .. ':' .. token)
  return true
end

local token, due, keys, changed = '0', nil, {}, {}
if limit > 0 and control[2] ~= '1' then
  local ready = first(READY, limit)
  if #ready > 0 then
    token = number(math.max((control[3] or 0) + 1, now))
  end
  local till = number(after(ARGV[6]))
  for _, key in ipairs(ready) do
    if deliver(key, token, till) then
      keys[#keys + 1] = key
    end
  end
  if #keys > 0 then
    changed = { 'token', token }
  end
  local more = call('ZCARD', READY) > 0
  if #keys < limit then
    due = more and now or next_due()
  end
  if more then
    wake()
  end
end
reply[1] = from_now(due)
reply[2] = tonumber(token)
write_counters()
local record = { reply[3], reply[4], token, due and number(due) or '-1', table.concat(keys) }
remember(lane, request, kept, 'E', table.concat(record, ' '), changed)
return reply
