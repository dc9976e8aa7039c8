
local lane, request = ARGV[1], ARGV[2]
local acks, operations, limit = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local control = call('HMGET', CONTROL, 'format', 'paused', 'token', 'done', lane)
check_known(control[1])
local kept, repeated = recall(control[5], request, 'E')

-- The common case comes before everything else, since to define functions takes time: acks and a
-- claim, all of jobs that have no history, no deadline and no unique key that ends with them. It
-- does what the rest would do, and leaves to the rest what is not plain, before it wrote anything.
if control[1] == FORMAT and operations == 0 and not repeated then
  local keys = limit > 0 and control[2] ~= '1' and call('ZRANGE', READY, 0, limit - 1) or {}
  local fields = {}
  for i = 1, acks do
    fields[i] = sub(ARGV[7 + i], 1, 14) .. 'm'
  end
  for i = 1, #keys do
    fields[acks + i] = keys[i] .. 'm'
    fields[acks + #keys + i] = keys[i]
  end
  local found = #fields > 0 and call('HMGET', JOBS, unpack(fields)) or {}
  local plain = true
  for i = 1, acks + #keys do
    plain = plain and not found[i]
  end
  for i = 1, #keys do
    plain = plain and found[acks + #keys + i]
  end
  local token = #keys > 0 and math.max((control[3] or 0) + 1, now) or 0
  if plain and token <= LAST then
    local settled, ended = {}, {}
    for i = 1, acks do
      settled[i] = 's'
      if call('ZREM', LEASES, ARGV[7 + i]) == 1 then
        settled[i] = 'a'
        ended[#ended + 1] = sub(ARGV[7 + i], 1, 14)
      end
    end
    local reply = { -1, token, table.concat(settled), '' }
    local changed = {}
    if #ended > 0 then
      call('HDEL', JOBS, unpack(ended))
      changed = { 'done', number((control[4] or 0) + #ended) }
    end
    token = number(token)
    if #keys > 0 then
      local till = number(after(ARGV[6]))
      local leases = {}
      for i = 1, #keys do
        leases[2 * i - 1] = till
        leases[2 * i] = keys[i] .. ':' .. token
        reply[2 * i + 3] = keys[i]
        reply[2 * i + 4] = found[acks + #keys + i]
      end
      call('ZREMRANGEBYRANK', READY, 0, #keys - 1)
      call('ZADD', LEASES, unpack(leases))
      changed[#changed + 1] = 'token'
      changed[#changed + 1] = token
    end
    local due
    if #keys == limit and limit > 0 then
      if call('LLEN', WAKE) == 0 and call('ZCARD', READY) > 0 then
        wake()
      end
    elseif limit > 0 and control[2] ~= '1' then
      due = next_due()
      reply[1] = from_now(due)
    end
    local record = { reply[3], '', token, due and number(due) or '-1', table.concat(keys) }
    remember(lane, request, kept, 'E', table.concat(record, ' '), changed)
    return reply
  end
end
