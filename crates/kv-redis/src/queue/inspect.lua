
-- Looks, and changes nothing. ARGV: what at, a limit, the key to start behind or "", how many bytes
-- of bodies; or for groups: the group to start behind or "", and the terms of groups without terms
-- of their own; or a unique key in place of the key.
local what, limit, behind, bytes = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]) or 0
local control = call('HMGET', CONTROL, 'format', 'paused', 'sequence', 'done', 'cancelled', 'evicted', 'marks')
check_known(control[1])

-- Answers the lengths of the sets, what was ever added, done, cancelled and evicted, whether claims
-- are paused, and how long the oldest claimable job has waited, or -1.
if what == 'counts' then
  local counts = {}
  for i, set in ipairs({ READY, TIMED, LEASES, DEAD }) do
    counts[i] = call('ZCOUNT', set, '-inf', '(inf')
  end
  counts[1] = counts[1] + count_queued()
  for i = 3, 6 do
    counts[i + 2] = tonumber(control[i] or 0)
  end
  counts[9] = control[2] == '1' and 1 or 0
  counts[10] = oldest_ready(read_marks(control[7]))
  return counts
end

local reply = { 0 }

-- Answers 0 and who holds a unique key, if anybody does; a window that is past holds nothing.
if what == 'unique' then
  local holder, till = call('HGET', UNIQUE, behind), call('ZSCORE', WINDOWS, behind)
  if holder and is_key(holder) and not (till and tonumber(till) <= now) then
    reply[2] = holder
  end
  return reply
end

local shown, left, sum = 0, MAX_BATCH, nil

-- Shows members of a set, with their scores, from a rank on and before another: up to the limit and
-- the bytes of the page.
local function page(set, from, till, show)
  while shown < limit and left > 0 and from < till do
    local wanted = math.min(left, limit - shown, till - from)
    local members = call('ZRANGE', set, from, from + wanted - 1, 'WITHSCORES')
    if #members == 0 then
      return
    end
    from, left = from + #members / 2, left - #members / 2
    for i = 1, #members, 2 do
      local key = set == DEAD and members[i] or sub(members[i], -14)
      local length = is_key(key) and call('HSTRLEN', JOBS, key)
      -- A ready job without a body is left out.
      if length and (length > 0 or set == DEAD or call('HEXISTS', JOBS, key) == 1) then
        if sum and sum + length > bytes then
          left = 0
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

-- Answers 0, then for each group what groups.lua describes.
if what == 'groups' then
  local from = '[g'
  local listed = behind ~= '' and string.match(call('HGET', GROUPS, behind) or '', '^%S+ (g%S+) ')
  if listed then
    from = '(' .. listed .. behind
  end
  local found = limit > 0 and call('ZRANGEBYLEX', GROUPED, from, '(h', 'LIMIT', 0, limit) or {}
  for _, member in ipairs(found) do
    grouped().describe(reply, sub(member, 16), ARGV[4])
  end
  return reply
end

-- Answers 0, then for each job that would be claimed next its key and body; those with a group come
-- behind the others.
if what == 'peek' then
  local function show(key)
    tell(key, call('HGET', JOBS, key))
  end
  local from, queued = 0, call('ZLEXCOUNT', GROUPED, '-', '(q')
  local till = queued + count_queued()
  if behind ~= '' then
    local job = load(behind) or fresh()
    local name = member(behind, job)
    local rank = job.group and call('ZRANK', GROUPED, 'q' .. job.group .. '\n' .. name)
    if rank then
      page(GROUPED, rank + 1, till, show)
      return reply
    end
    from = job.group and 0 or rank_behind(READY, name)
  end
  page(READY, from, LAST, show)
  page(GROUPED, queued, till, show)
  return reply
end

-- Answers 0, then for each dead letter its key, body, time of death, failures, crashes, deliveries
-- and reason.
page(DEAD, behind == '' and 0 or rank_behind(DEAD, behind), LAST, function(key, died)
  local job = load(key) or fresh()
  tell(key, call('HGET', JOBS, key) or '', died, job.failures, job.crashes, ended(job), job.reason)
end)
return reply
