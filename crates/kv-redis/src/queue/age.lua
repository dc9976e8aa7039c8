
-- How long the oldest claimable job has waited.

-- How many jobs of a priority, and how many groups, are looked at.
local LOOKED_AT = 32

-- Since when the job of a member of READY waits, nil if that is not known; and whether it may stand
-- before older ones, as a job that was due late does.
local function began(name, marks)
  local sequence = tonumber(sub(name, -13), 16)
  if #name > 14 then
    return tonumber(sub(name, 16, 29), 16), tonumber(sub(name, 2, 14), 16) <= sequence
  end
  for i = #marks, 1, -1 do
    if marks[i][2] < sequence then
      return marks[i][1], false
    end
  end
  return marks[1] and marks[1][1], false
end

-- The age in microseconds, or -1 if nothing is claimable or of known age. Jobs of a priority are in
-- the order in which they began to wait, except for those that were due late.
local function oldest_ready(marks)
  local oldest
  local function see(since)
    oldest = math.min(oldest or LAST, since or LAST)
  end
  for _, set in ipairs({ TIMED, LEASES }) do
    local come = call('ZRANGEBYSCORE', set, '-inf', number(now), 'WITHSCORES', 'LIMIT', 0, 1)[2]
    if come then
      see(tonumber(come))
    end
  end
  local from, priority = '-', nil
  repeat
    local names = from and call('ZRANGEBYLEX', READY, from, '+', 'LIMIT', 0, LOOKED_AT) or {}
    priority = #names > 0 and tonumber(sub(names[1], 1, 1), 16)
    for _, name in ipairs(names) do
      if not is_key(sub(name, -14)) or tonumber(sub(name, 1, 1), 16) ~= priority then
        break
      end
      local since, is_exact = began(name, marks)
      see(since)
      if not is_exact then
        break
      end
    end
    from = priority and priority < 15 and '[' .. format('%x', priority + 1)
  until not priority
  for _, place in ipairs(call('ZRANGEBYLEX', GROUPED, '[r', '(s', 'LIMIT', 0, LOOKED_AT)) do
    local under = 'q' .. sub(place, 16) .. '\n'
    local name = call('ZRANGEBYLEX', GROUPED, '[' .. under, '+', 'LIMIT', 0, 1)[1]
    if name and sub(name, 1, #under) == under then
      see(began(sub(name, #under + 1), marks))
    end
  end
  return oldest and oldest < LAST and math.max(now - oldest, 0) or -1
end
