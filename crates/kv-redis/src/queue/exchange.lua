
local EXPIRED = 'its time to live ended before it was claimed'
local DELIVERED = 'it was delivered too often'
local BODY = 'its body is gone from the store'
local CHECKPOINT = 'its checkpoint is gone from the store'
local MORE, NEEDS_GROUPS = -2, 0
local policy = read_policy(ARGV[8])
local largest = control[6] and tonumber(control[6])
check_known(control[1])
if control[1] == GROUPED_FORMAT and not GROUPED then
  return NEEDS_GROUPS
end
local kept, repeated = recall(control[5], request, 'E')
if limit > 0 and not repeated and tonumber(control[3] or 0) >= LAST then
  return redis.error_reply('KVEXHAUSTED the tokens')
end
-- Where nothing is stored but counters, there is nothing to settle and nothing to claim. It stays
-- so: an idle worker does not bring back a partition that was purged.
if not control[5] and is_blank() then
  return { -1, 0, string.rep('s', acks), string.rep('s', operations) }
end
if not control[1] then
  make()
end

-- The sum of bytes that are told; nil before the first job, which always fits.
local sum

-- Counts a job of this size, unless the sum would be above the bytes; whether it fits.
local function fits(size)
  if sum and sum + size > bytes then
    return false
  end
  sum = (sum or 0) + size
  return true
end

-- How many bytes a field has; nil if it is not there.
local function length(hash, field)
  local size = call('HSTRLEN', hash, field)
  return (size > 0 or call('HEXISTS', hash, field) == 1) and size or nil
end

-- Bodies that were read together, by their keys.
local bodies = {}

-- Reads bodies together if all of them are sure to fit.
local function read_bodies(keys)
  if largest and #keys > 0 and (sum or 0) + largest * #keys <= bytes then
    for i, body in ipairs(call('HMGET', JOBS, unpack(keys))) do
      bodies[keys[i]] = body
    end
  end
end

-- Looks whether all of a job is there. Answers what is missing, or false; how many bytes its body
-- and checkpoint have; and the body, if it is sure to fit.
local function find(key, job)
  if not job then
    return RECORD
  end
  local body = bodies[key]
  if body == nil then
    body = largest and (sum or 0) + largest <= bytes and call('HGET', JOBS, key)
  end
  local size = body and #body or length(JOBS, key)
  if not size then
    return BODY
  end
  local state = not job.progress and 0 or length(RECORDS, key .. 'c')
  if not state then
    return CHECKPOINT
  end
  return false, size + state, body
end

-- Sets aside a job, taken from its set already, of which something is missing.
local function lose(key, job, missing)
  job = job or fresh()
  if missing == CHECKPOINT then
    job.progress = nil
  end
  bury_spent(key, job, missing, policy)
end

-- Adds a delivery to a reply.
local function tell(reply, key, job, body)
  local head = key
  if ended(job) > 0 or job.progress then
    head = key .. ' ' .. number(job.failed + job.crashes + 1) .. ' ' .. number(ended(job) + 1)
  end
  if job.progress then
    head = head .. ' ' .. number(job.progress)
  end
  local at = enqueued(key, job)
  if at then
    head = '@' .. number(at) .. ' ' .. head
  end
  reply[#reply + 1] = job.group and '+' .. head or head
  reply[#reply + 1] = body or call('HGET', JOBS, key)
  if job.progress then
    reply[#reply + 1] = call('HGET', RECORDS, key .. 'c')
  end
  if job.group then
    reply[#reply + 1] = job.group
  end
end

-- Without done jobs to keep, the functions that keep them are not there.
local end_as_done = policy.keep_done > 0 and keep or forget

local function finish(lease, value)
  if call('ZREM', LEASES, lease) == 0 then
    return 's'
  end
  free_slot(end_as_done(sub(lease, 1, 14), value, policy))
  count('done')
  return 'a'
end

local function failed(job, reason)
  job.failures = job.failures + 1
  job.failed = job.failed + 1
  job.reason = cut(reason)
end

-- Buries a job whose record cannot be read, with what its worker said last.
local function set_aside(key, letter, reason)
  local job = fresh()
  if letter == 'f' or letter == 'r' then
    note_past(key, job, 'f', cut(reason))
    failed(job, reason)
  end
  bury_spent(key, job, RECORD, policy)
  return 'b'
end

-- Undoes a claim, whose lease is gone already.
local function release(key, job, token)
  local held = now - token
  if held > 0 and job.deadline and ended(job) == 0 then
    job.deadline = math.min(job.deadline + held, LAST)
    save(key, job)
  end
  make_ready(key, job)
  return 'a'
end

-- Pauses the group of a job, whose lease is gone already, and lets the job wait for it.
local function limited(key, job, till)
  if job.deadline then
    job.deadline = nil
    save(key, job)
  end
  if job.group then
    grouped().pause_at_least(job.group, till)
  end
  if job.group or till <= now then
    make_ready(key, job)
  else
    call('ZADD', TIMED, number(till), key)
  end
  return 'a'
end

-- Ends a delivery, whose lease is gone already, but not the job.
local function hand_back(key, job, letter, delay, reason)
  note_past(key, job, letter == 's' and 's' or 'f', letter ~= 's' and cut(reason))
  if letter == 's' then
    job.snoozes = job.snoozes + 1
  else
    failed(job, reason)
  end
  if letter == 'f' or letter == 'r' and job.failures >= policy.failures then
    bury(key, job, policy)
    return 'b'
  end
  put_back(key, job, tonumber(delay))
  return 'a'
end

local function checkpoint(key, job, state, progress)
  call('HSET', RECORDS, key .. 'c', state)
  if not job.progress or progress > job.progress then
    job.progress = progress
    job.failures = 0
    save(key, job)
  end
  return 'a'
end

local function operate(letter, lease, value, bytes)
  if letter == 'd' then
    return finish(lease, bytes)
  end
  if not call('ZSCORE', LEASES, lease) then
    return 's'
  end
  local key = sub(lease, 1, 14)
  local job = load(key)
  if job and job.cancelled then
    call('ZREM', LEASES, lease)
    free_slot(job)
    end_cancelled(key)
    return 'c'
  end
  if letter == 'e' then
    call('ZADD', LEASES, number(after(value)), lease)
    return 'a'
  end
  if letter == 'c' then
    return checkpoint(key, job or fresh(), bytes, tonumber(value))
  end
  call('ZREM', LEASES, lease)
  if not job then
    return set_aside(key, letter, bytes)
  end
  free_slot(job)
  if letter == 'l' then
    return limited(key, job, after(value))
  end
  if letter == 'u' then
    return release(key, job, tonumber(sub(lease, 16)))
  end
  return hand_back(key, job, letter, value, bytes)
end

-- Tells again what is held of a recorded claim, up to the limit and the bytes; releases the rest.
-- Answers the keys that it told, and whether it released any.
local function replay(reply, token, keys)
  local told, full = {}, false
  for _, key in ipairs(keys) do
    local lease = key .. ':' .. token
    if call('ZSCORE', LEASES, lease) then
      full = full or #told == limit
      if not full then
        local job = load(key)
        local missing, size, body = find(key, job)
        if missing then
          call('ZREM', LEASES, lease)
          free_slot(job)
          lose(key, job, missing)
        elseif fits(size) then
          tell(reply, key, job, body)
          told[#told + 1] = key
        else
          full = true
        end
      end
      if full then
        operate('u', lease, '', '')
      end
    end
  end
  return told, full
end

-- Stores what a session's last exchange answered, and other fields and values of CONTROL.
local function remember_exchange(reply, token, due, keys, fields)
  local record = { reply[3], reply[4], token, number(due), table.concat(keys) }
  remember(session, request, kept, 'E', table.concat(record, ' '), fields)
end

-- Where a repeat released nothing, it comes back when the original does. Else later repeats are
-- answered as it is.
if repeated then
  local settled, operated, token, due, text =
      string.match(repeated, '^(%a*) (%a*) (%d+) (%-?%d+) (%x*)$')
  local keys = {}
  for at = 1, #(text or ''), 14 do
    keys[#keys + 1] = sub(text, at, at + 13)
    settled = is_key(keys[#keys]) and settled
  end
  if not settled then
    corrupt('a session')
  end
  local reply = { -1, tonumber(token), settled, operated }
  local told, full = replay(reply, token, keys)
  due = tonumber(due)
  if full then
    due = #told < limit and MORE or -1
    remember_exchange(reply, token, due, told, {})
  end
  reply[1] = due < 0 and due or from_now(due)
  write_counters()
  return reply
end

local settled, operated = {}, {}
if acks > 0 then
  local keys = {}
  for i = 1, acks do
    keys[i] = sub(ARGV[HEADER + i], 1, 14)
  end
  read_ahead(keys)
  gone_bodies, gone_records = {}, {}
  for i = 1, acks do
    settled[i] = finish(ARGV[HEADER + i])
  end
  call_with('HDEL', JOBS, gone_bodies)
  call_with('HDEL', RECORDS, gone_records)
  gone_bodies, gone_records = nil, nil
end
for i = 1, operations do
  local at = HEADER + acks + 4 * i - 4
  operated[i] = operate(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
end
local reply = { -1, 0, table.concat(settled), table.concat(operated) }

-- Takes a ready member out of its set: that of a group, or READY.
local function take_out(name, group)
  if group then
    grouped().take(group, name)
  else
    call('ZREM', READY, name)
  end
end

-- What to deliver of a ready member: its key, its record, how many bytes, and the body if it was
-- read. One that cannot be delivered is taken out of the way.
local function next_job(name, group)
  local key = sub(name, -14)
  if not is_key(key) then
    take_out(name, group)
    return nil
  end
  local job = load(key)
  local why = job and (is_expired(job) and EXPIRED or ended(job) >= policy.deliveries and DELIVERED)
  if job and job.cancelled then
    take_out(name, group)
    end_cancelled(key)
    return nil
  end
  if why then
    take_out(name, group)
    bury_spent(key, job, why, policy)
    return nil
  end
  local missing, size, body = find(key, job)
  if missing then
    take_out(name, group)
    lose(key, job, missing)
    return nil
  end
  return key, job, size, body
end
