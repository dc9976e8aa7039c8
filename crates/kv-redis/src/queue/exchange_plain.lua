
-- Settles, extends and checkpoints, then claims. ARGV: "lane:NAME", the request's number, how many
-- acks, how many operations, how many to claim at most, how many bytes of them, their lease, the
-- policy as "FAILURES CRASHES DELIVERIES KEEP_DEAD KEEP_DEAD_FOR" with -1 for ever, and a sixth word
-- if groups without terms of their own have a limit, which is as groups.lua says, then for each ack
-- "KEY:TOKEN", and for each operation its letter, "KEY:TOKEN" and two values:
--   r retry       delay, reason
--   f fail        "", reason
--   s snooze      delay, ""
--   u release     "", ""
--   l limited     pause of the group, ""
--   e extend      lease, ""
--   c checkpoint  progress, state
-- Answers when to come back, in microseconds, -1 for never, or -2 where the claim came back short
-- although jobs are left; the token of the claims; the verdicts on the acks and on the operations
-- as letters (a applied, b buried, s stale, c cancelled); then for each claim "KEY", "KEY ATTEMPT
-- DELIVERY" or "KEY ATTEMPT DELIVERY PROGRESS", behind a + if it has a group, its body, with a
-- progress the checkpoint, and with a + the group.
local session, request = ARGV[1], ARGV[2]
-- A text plus 0 is its number, without a call.
local acks, operations, limit = ARGV[3] + 0, ARGV[4] + 0, ARGV[5] + 0
local bytes, lease, HEADER = ARGV[6] + 0, ARGV[7], 8
local control = call('HMGET', CONTROL, 'format', 'paused', 'token', 'done', session, 'largest')

-- The common case comes before everything else, since to define functions takes time: on a session
-- that is known, acks and a claim that is met in full, all of jobs without a history, a deadline, a
-- checkpoint and a unique key that ends with them, whose bodies fit. It does what the rest would
-- do. What is not plain is left to the rest before anything was written.
local last, till = string.match(control[5] or '', '^(%d+) (%d+)')
local plain = operations == 0 and limit > 0 and control[1] == FORMAT and control[2] ~= '1'
if plain and last and last + 0 < request + 0 and till + 0 >= now + SESSION_LIFETIME then
  -- As text, here and below: a number is formatted anew in each call.
  local top = limit == 1 and '0' or format('%.0f', limit - 1)
  local keys = call('ZRANGE', READY, '0', top)
  local token = (control[3] or 0) + 1
  token = token > now and token or now
  local ends = now + lease
  plain = #keys == limit and token <= LAST and ends <= LAST
  -- Bodies are read only where all of them fit.
  if plain and limit > 1 and not (control[6] and limit * control[6] <= bytes) then
    local sum = 0
    for i = 1, limit do
      sum = sum + call('HSTRLEN', JOBS, keys[i])
    end
    plain = sum <= bytes
  end
  local fields = {}
  for i = 1, acks do
    fields[i] = sub(ARGV[HEADER + i], 1, 14)
  end
  for i = 1, #keys do
    fields[acks + i] = keys[i]
  end
  local records = plain and call('HMGET', RECORDS, unpack(fields))
  for i = 1, plain and acks + limit or 0 do
    plain = plain and not records[i]
  end
  local bodies = plain and call('HMGET', JOBS, unpack(keys))
  for i = 1, plain and limit or 0 do
    plain = plain and bodies[i]
  end
  if plain then
    local settled, ended = '', {}
    for i = 1, acks do
      if call('ZREM', LEASES, ARGV[HEADER + i]) == 1 then
        settled = settled .. 'a'
        ended[#ended + 1] = fields[i]
      else
        settled = settled .. 's'
      end
    end
    if #ended > 0 then
      call('HDEL', JOBS, unpack(ended))
    end
    call('ZREMRANGEBYRANK', READY, '0', top)
    local reply = { -1, token, settled, '' }
    local leases = {}
    token, ends = format('%.0f', token), format('%.0f', ends)
    for i = 1, limit do
      leases[2 * i - 1] = ends
      leases[2 * i] = keys[i] .. ':' .. token
      reply[2 * i + 3] = keys[i]
      reply[2 * i + 4] = bodies[i]
    end
    call('ZADD', LEASES, unpack(leases))
    call('HSET', CONTROL, 'token', token, 'done', format('%.0f', (control[4] or 0) + #ended), session,
      request .. ' ' .. till .. ' E' .. settled .. '  ' .. token .. ' -1 ' .. table.concat(keys))
    if call('LLEN', WAKE) == 0 and call('ZCARD', READY) > 0 then
      call('RPUSH', WAKE, '1')
    end
    return reply
  end
end
