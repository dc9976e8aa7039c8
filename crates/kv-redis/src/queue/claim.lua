
-- Delivers ready jobs under a token until the limit or the bytes are reached, or enough were looked
-- at. Answers their keys, and whether it met any job.
local function claim(token)
  local keys, left, met, till = {}, MAX_BATCH, false, number(after(lease))
  while #keys < limit do
    local ready = first(READY, math.min(left, limit - #keys))
    if #ready == 0 then
      return keys, met
    end
    met, left = true, left - #ready
    for _, name in ipairs(ready) do
      local key, job, size, body = next_job(name)
      if key and not fits(size) then
        return keys, met
      end
      if key then
        tell(reply, key, job, body)
        call('ZREM', READY, name)
        call('ZADD', LEASES, till, key .. ':' .. token)
        keys[#keys + 1] = key
      end
    end
  end
  return keys, met
end

-- Whether a job or a group can be claimed.
local function has_claimable()
  return call('ZCARD', READY) > 0
      or GROUPED and #call('ZRANGEBYLEX', GROUPED, '[r', '(s', 'LIMIT', 0, 1) > 0
end

local token, due, keys, changed = '0', -1, {}, {}
if limit > 0 and control[2] ~= '1' then
  local next_token, met = number(math.max((control[3] or 0) + 1, now))
  if control[1] == GROUPED_FORMAT and has_queued() then
    keys, met = claim_in_turns(next_token)
  else
    keys, met = claim(next_token)
  end
  token = met and next_token or token
  if #keys > 0 then
    changed = { 'token', token }
  end
  local more = has_claimable()
  if #keys < limit then
    due = more and MORE or next_due() or -1
  end
  if more then
    wake()
  end
end
reply[1] = due < 0 and due or from_now(due)
reply[2] = tonumber(token)
write_counters()
remember_exchange(reply, token, due, keys, changed)
return reply
