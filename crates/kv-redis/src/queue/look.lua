
-- Asking about jobs. ARGV: "job", whether to read its bytes, its key, and the terms of groups without
-- terms of their own; or "list", a limit, the state, a group or "", and the place behind which the
-- page begins: its score and its name.

-- Adds a job: its key, where it stands, its numbers, reason, group and unique key. Where it stands is
-- a letter and what belongs to it: r ready, "t DUE WHY" timed, "l ENDS TOKEN" leased, "d DIED" dead,
-- "o AT" done.
local function view(reply, key, job, standing)
  local numbers = { job.failures, job.failed, job.crashes, job.snoozes, job.cancelled and 1 or 0,
    job.progress and number(job.progress) or '-' }
  for _, part in ipairs({ key, standing, table.concat(numbers, ' '), job.reason, job.group or '',
    job.unique and 'u' .. job.unique or '' }) do
    reply[#reply + 1] = part
  end
end

-- Why a job waits for its time, as a letter.
local function why_delayed(key, job)
  if job.failed + job.crashes == 0 then
    return job.snoozes > 0 and 's' or 'o'
  end
  local past = load_past(key)
  return past and past[2] or 'f'
end

-- The lease of a running job. There is no index by job.
local function find_lease(key)
  local rank = 0
  repeat
    local leases = call('ZRANGE', LEASES, rank, rank + MAX_BATCH - 1)
    for _, lease in ipairs(leases) do
      if sub(lease, 1, 14) == key then
        return lease
      end
    end
    rank = rank + MAX_BATCH
  until #leases < MAX_BATCH
end

-- Where a job stands; nil if there is none.
local function standing_of(key, job)
  local name = member(key, job)
  if job.group and call('ZSCORE', GROUPED, 'q' .. job.group .. '\n' .. name)
      or not job.group and call('ZSCORE', READY, name) then
    return 'r'
  end
  local due = call('ZSCORE', TIMED, key)
  if due then
    return 't ' .. due .. ' ' .. why_delayed(key, job)
  end
  local died, done = call('ZSCORE', DEAD, key), call('ZSCORE', DONE, key)
  if died or done then
    return died and 'd ' .. died or 'o ' .. done
  end
  local lease = call('HEXISTS', JOBS, key) == 1 and find_lease(key)
  return lease and 'l ' .. call('ZSCORE', LEASES, lease) .. ' ' .. sub(lease, 16) or nil
end

-- Answers 0 and the time; then the job if there is one, when it was submitted or -, what keeps its
-- group from a start as groups.lua says, whether bytes follow, the bytes, and its past failures.
local function look_up(key, wants_bytes, terms)
  local reply, job = { 0, number(now) }, load(key) or fresh()
  local standing = standing_of(key, job)
  if not standing then
    return reply
  end
  view(reply, key, job, standing)
  local past = load_past(key) or { false, 'o' }
  local at = noted(key, job) or past[1]
  reply[#reply + 1] = at and number(at) or '-'
  local group = { 0, -1 }
  if job.group and standing == 'r' then
    group = {}
    grouped().describe(group, job.group, terms)
  end
  reply[#reply + 1] = group[#group - 1]
  reply[#reply + 1] = group[#group]
  local is_done = sub(standing, 1, 1) == 'o'
  local bytes = wants_bytes and call('HGET', is_done and RECORDS or JOBS, is_done and key .. 'c' or key)
  reply[#reply + 1] = bytes and 1 or 0
  reply[#reply + 1] = bytes or ''
  for i = 3, #past, 2 do
    reply[#reply + 1] = number(past[i])
    reply[#reply + 1] = past[i + 1]
  end
  return reply
end

-- The rank of the first job behind a place: jobs of one score are in the order of their keys.
local function rank_beyond(set, score, name)
  local low = call('ZCOUNT', set, '-inf', '(' .. score)
  local high = low + call('ZCOUNT', set, score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if sub(call('ZRANGE', set, middle, middle)[1], 1, 14) <= name then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

-- Reads on in a set that is ordered by times: a function of how many members, which answers members
-- and their scores.
local function by_time(set, score, name)
  local rank = score and rank_beyond(set, score, name) or 0
  local till = call('ZCOUNT', set, '-inf', '(inf')
  return function(count)
    local last = math.min(rank + count, till) - 1
    local found = last >= rank and call('ZRANGE', set, rank, last, 'WITHSCORES') or {}
    rank = rank + #found / 2
    return found
  end
end

-- The same of a set that is ordered by names, all of score 0.
local function by_name(set, from, till, skipped)
  return function(count)
    local names, found = call('ZRANGEBYLEX', set, from, till, 'LIMIT', 0, count), {}
    for _, name in ipairs(names) do
      found[#found + 1] = sub(name, 1 + skipped)
      found[#found + 1] = '0'
      from = '(' .. name
    end
    return found
  end
end

-- The parts of a state's list from a place on, in order.
local function parts_of(state, group, score, name)
  local sets = { delayed = TIMED, running = LEASES, dead = DEAD, done = DONE }
  if state ~= 'ready' then
    return { by_time(sets[state], score, name) }
  end
  local is_queued = name and string.find(name, '\n', 1, true)
  local first = group ~= '' and 'q' .. group .. '\n' or 'q'
  local till = group ~= '' and '(q' .. group .. '\11' or '(r'
  local from = '[' .. first
  -- A place in another group begins this one anew.
  if is_queued and sub('q' .. name, 1, #first) == first then
    from = '(q' .. name
  end
  local parts = { by_name(GROUPED, from, till, 1) }
  if group == '' and not is_queued then
    table.insert(parts, 1, by_name(READY, name and '(' .. name or '-', '+', 0))
  end
  return parts
end

local LETTERS = { delayed = 't', running = 'l', dead = 'd', done = 'o' }

-- The job of a member, its record and where it stands; nil if it is none or of another group.
local function listed(state, group, name, score)
  local key, token = name, nil
  if state == 'ready' then
    key = sub(name, -14)
  elseif state == 'running' then
    token = string.match(name, '^:(%d+)$', 15)
    key = token and sub(name, 1, 14)
  end
  if not key or not is_key(key) then
    return nil
  end
  local job = load(key) or fresh()
  if group ~= '' and state ~= 'ready' and job.group ~= group then
    return nil
  end
  if state == 'ready' then
    return key, job, 'r'
  end
  local more = token or state == 'delayed' and why_delayed(key, job)
  return key, job, LETTERS[state] .. ' ' .. score .. (more and ' ' .. more or '')
end

-- Answers 0, the time, whether there is a next page and where it begins, and the jobs.
local function list(limit, state, group, score, name)
  local reply, shown, left = { 0, number(now), 0, '0', '' }, 0, MAX_BATCH
  for _, read_on in ipairs(parts_of(state, group, score, name)) do
    while shown < limit and left > 0 do
      local count = math.min(left, limit - shown)
      local found = read_on(count)
      left = left - #found / 2
      for i = 1, #found, 2 do
        local key, job, standing = listed(state, group, found[i], found[i + 1])
        if key then
          view(reply, key, job, standing)
          shown = shown + 1
        end
        reply[3], reply[4] = 1, found[i + 1]
        reply[5] = state == 'running' and sub(found[i], 1, 14) or found[i]
      end
      if #found / 2 < count then
        reply[3] = 0
        break
      end
    end
  end
  return reply
end

if ARGV[1] == 'job' or ARGV[1] == 'list' then
  check_known(call('HGET', CONTROL, 'format'))
  if ARGV[1] == 'job' then
    return look_up(ARGV[3], ARGV[2] == '1', ARGV[4])
  end
  return list(tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6])
end
