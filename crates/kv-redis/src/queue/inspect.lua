
-- Looks, and changes nothing. ARGV: what at, a limit, the key to start behind or "", how many bytes
-- of bodies.
local what, limit, behind, bytes = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local control = call('HMGET', CONTROL, 'format', 'paused', 'sequence', 'done', 'cancelled', 'evicted')
check_known(control[1])

-- Answers the lengths of the sets, what was ever added, done, cancelled and evicted, and whether
-- claims are paused.
if what == 'counts' then
  local counts = {}
  for i, set in ipairs({ READY, TIMED, LEASES, DEAD }) do
    counts[i] = call('ZCOUNT', set, '-inf', '(inf')
  end
  for i = 3, 6 do
    counts[i + 2] = tonumber(control[i] or 0)
  end
  counts[9] = control[2] == '1' and 1 or 0
  return counts
end

local reply = { 0 }

-- Shows members of a set, with their scores, from a rank on: up to the limit and the bytes.
local function page(set, from, show)
  local shown, left, sum = 0, MAX_BATCH, nil
  while shown < limit and left > 0 do
    local wanted = math.min(left, limit - shown)
    local members = call('ZRANGE', set, from, from + wanted - 1, 'WITHSCORES')
    if #members == 0 then
      return
    end
    from, left = from + #members / 2, left - #members / 2
    for i = 1, #members, 2 do
      local key = set == READY and sub(members[i], -14) or members[i]
      local length = is_key(key) and call('HSTRLEN', JOBS, key)
      -- A ready job without a body is left out.
      if length and (length > 0 or set == DEAD or call('HEXISTS', JOBS, key) == 1) then
        if sum and sum + length > bytes then
          return
        end
        sum = (sum or 0) + length
        shown = shown + 1
        show(key, members[i + 1])
      end
    end
  end
end

local function tell(...)
  for _, value in ipairs({ ... }) do
    reply[#reply + 1] = value
  end
end

local function rank_behind(set, name)
  local rank = call('ZRANK', set, name)
  return rank and rank + 1 or 0
end

-- Answers 0, then for each job that would be claimed next its key and body.
if what == 'peek' then
  local from = behind == '' and 0 or rank_behind(READY, member(behind, load(behind) or fresh()))
  page(READY, from, function(key)
    tell(key, call('HGET', JOBS, key))
  end)
  return reply
end

-- Answers 0, then for each dead letter its key, body, time of death, failures, crashes, deliveries
-- and reason.
page(DEAD, behind == '' and 0 or rank_behind(DEAD, behind), function(key, died)
  local job = load(key) or fresh()
  tell(key, call('HGET', JOBS, key) or '', died, job.failures, job.crashes, ended(job), job.reason)
end)
return reply
