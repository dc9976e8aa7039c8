
-- What happens to groups. GROUPED has, in the order of their bytes:
--   b TIME NAME      a group with jobs that may not start one before this time
--   g TIME NAME      every group with jobs, leases, a limit of its own, or a past that counts, with
--                    the time when it is forgotten
--   q NAME \n MEMBER a ready job of a group, as READY would have it
--   r PRIORITY TURN NAME  a group that may start a job as far as known: in the ring
-- TIME and TURN are hexadecimal, of 14 and 13 digits. GROUPS has of each group "PLACE LISTED RUNNING
-- NEXT PAUSED STARTED OWN": where it stands ("r..." or "b..." without its name, f while it waits for
-- the end of a lease, - without ready jobs), its g without its name, how many jobs have a lease, when
-- the next start would come if all were evenly spaced, the end of its pause, how many it started in
-- this turn, and its own terms or -.
local groups

-- The functions below, made when the first is needed.
local function grouped()
  if groups then
    return groups
  end
  groups = {}
  local counters = call('HMGET', CONTROL, 'turn', 'plain_turn')
  local turn, plain_turn = tonumber(counters[1] or 0), tonumber(counters[2] or 0)
  local known, moved, may_work = {}, false, false

  -- Terms of a limit: jobs at a time or -1, microseconds between starts, how early one may come,
  -- and how many a turn starts.
  local function read_terms(text)
    local most, interval, tolerance, weight = string.match(text, '^(%-?%d+):(%d+):(%d+):(%d+)$')
    return {
      most = tonumber(most),
      interval = tonumber(interval),
      tolerance = tonumber(tolerance),
      turn = tonumber(weight),
    }
  end

  local function load_group(name)
    local group = known[name]
    if group then
      return group
    end
    local place, listed, running, next_start, paused, started, own = string.match(
      call('HGET', GROUPS, name) or '', '^(%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%S+)$')
    group = {
      place = place or '-',
      listed = listed or '-',
      running = tonumber(running or 0),
      next = tonumber(next_start or 0),
      paused = tonumber(paused or 0),
      started = tonumber(started or 0),
      own = own or '-',
    }
    known[name] = group
    return group
  end

  -- Writes what was changed, and wakes somebody if a group may have work.
  function groups.flush()
    for name, group in pairs(known) do
      if group.listed == '-' then
        call('HDEL', GROUPS, name)
      else
        call('HSET', GROUPS, name, table.concat({ group.place, group.listed, group.running,
          number(group.next), number(group.paused), group.started, group.own }, ' '))
      end
    end
    if moved then
      call('HSET', CONTROL, 'format', GROUPED_FORMAT, 'turn', number(turn), 'plain_turn',
        number(plain_turn))
    end
    if may_work then
      wake()
    end
  end

  local function stamp(letter, time)
    return letter .. format('%014x', time)
  end

  -- What is past of a group no longer counts.
  local function settle_past(group)
    group.next = group.next > now and group.next or 0
    group.paused = group.paused > now and group.paused or 0
  end

  local function move(name, group, place)
    if #group.place > 1 then
      call('ZREM', GROUPED, group.place .. name)
    end
    if #place > 1 then
      call('ZADD', GROUPED, '0', place .. name)
    end
    group.place = place
  end

  local function list(name, group, listed)
    if group.listed == listed then
      return
    end
    if group.listed ~= '-' then
      call('ZREM', GROUPED, group.listed .. name)
    end
    if listed ~= '-' then
      call('ZADD', GROUPED, '0', listed .. name)
      moved = true
    end
    group.listed = listed
  end

  local function next_turn()
    turn = math.min(turn + 1, MAX_SEQUENCE)
    moved = true
    return turn
  end

  -- Puts a group at the end of the ring of a priority.
  local function take_turn(name, group, priority)
    move(name, group, 'r' .. priority .. format('%013x', next_turn()))
  end

  -- The first ready job of a group, without the q and the name; nil if it has none.
  local function first_of(name)
    local from = 'q' .. name .. '\n'
    local found = call('ZRANGEBYLEX', GROUPED, '[' .. from, '(q' .. name .. '\11', 'LIMIT', 0, 1)[1]
    return found and sub(found, #from + 1)
  end

  -- Places a group with ready jobs that stands nowhere.
  local function arrive(name, group)
    if group.paused > now then
      move(name, group, stamp('b', group.paused))
      return
    end
    local member = first_of(name)
    if member then
      may_work = true
      take_turn(name, group, sub(member, 1, 1))
    end
  end

  -- Keeps of a group without ready jobs what still counts.
  local function retire(name, group)
    settle_past(group)
    group.started = 0
    move(name, group, '-')
    local forgotten = math.max(group.next, group.paused)
    if group.running > 0 or group.own ~= '-' then
      forgotten = LAST
    end
    list(name, group, forgotten == 0 and '-' or stamp('g', forgotten))
  end

  -- Whether a group may start a job: true, or else why not, and until when.
  local function admission(group, terms)
    if group.paused > now then
      return 'p', group.paused
    end
    if terms.most >= 0 and group.running >= terms.most then
      return 'f'
    end
    if terms.interval > 0 then
      group.next = math.min(group.next, now + terms.interval + terms.tolerance)
      if group.next - terms.tolerance > now then
        return 's', group.next - terms.tolerance
      end
    end
    return true
  end

  -- Finds the place in the ring of a group that a claim met.
  local function arrange(name, group, terms)
    local member = first_of(name)
    if not member then
      retire(name, group)
      return
    end
    local first = sub(member, 1, 1)
    local may, till = admission(group, terms)
    if may == true and group.started < terms.turn then
      if sub(group.place, 1, 2) ~= 'r' .. first then
        take_turn(name, group, first)
      end
      settle_past(group)
      return
    end
    if may == true then
      take_turn(name, group, first)
    elseif may == 'f' then
      move(name, group, 'f')
    else
      move(name, group, stamp('b', till))
    end
    group.started = 0
    settle_past(group)
  end

  -- Finds the place of a group whose pause or limit was changed.
  local function reconsider(name, group)
    local place = sub(group.place, 1, 1)
    if place == '-' then
      retire(name, group)
      return
    end
    if place ~= 'r' or group.paused > now then
      move(name, group, '-')
      group.started = 0
      arrive(name, group)
    end
    settle_past(group)
  end

  -- Adds a ready job to its group.
  function groups.queue(name, key, ready)
    call('ZADD', GROUPED, '0', 'q' .. name .. '\n' .. ready)
    local group = load_group(name)
    local place = sub(group.place, 1, 1)
    if place == 'r' then
      may_work = true
      if sub(key, 1, 1) < sub(group.place, 2, 2) then
        take_turn(name, group, sub(key, 1, 1))
      end
    elseif place == '-' then
      list(name, group, stamp('g', LAST))
      arrive(name, group)
    end
  end

  -- Takes a ready job out of its group, other than by a claim. Answers whether it was there.
  function groups.take(name, ready)
    if call('ZREM', GROUPED, 'q' .. name .. '\n' .. ready) == 0 then
      return false
    end
    local group = load_group(name)
    local member = first_of(name)
    if not member then
      retire(name, group)
    elseif sub(group.place, 1, 1) == 'r' and sub(group.place, 2, 2) ~= sub(member, 1, 1) then
      take_turn(name, group, sub(member, 1, 1))
    end
    return true
  end

  -- Counts the end of a lease in the group of its job.
  function groups.free(name)
    local group = load_group(name)
    group.running = math.max(group.running - 1, 0)
    if group.place == 'f' then
      group.place = '-'
      settle_past(group)
      arrive(name, group)
    elseif group.place == '-' then
      retire(name, group)
    else
      settle_past(group)
    end
  end

  -- Lets groups take turns whose pause or spacing has ended, up to a limit; how many.
  function groups.unblock(limit)
    if limit <= 0 then
      return 0
    end
    local due = call('ZRANGEBYLEX', GROUPED, '[b', '(' .. stamp('b', now + 1), 'LIMIT', 0, limit)
    for _, member in ipairs(due) do
      local name = sub(member, 16)
      local group = load_group(name)
      move(name, group, '-')
      arrive(name, group)
    end
    return #due
  end

  -- Forgets groups of which nothing counts any more, up to a limit; how many.
  function groups.forget(limit)
    if limit <= 0 then
      return 0
    end
    local past = call('ZRANGEBYLEX', GROUPED, '[g', '(' .. stamp('g', now + 1), 'LIMIT', 0, limit)
    for _, member in ipairs(past) do
      local name = sub(member, 16)
      list(name, load_group(name), '-')
    end
    return #past
  end

  -- Whether a group is past its time of a kind: b or g.
  function groups.is_past(letter)
    local till = '(' .. stamp(letter, now + 1)
    return #call('ZRANGEBYLEX', GROUPED, '[' .. letter, till, 'LIMIT', 0, 1) > 0
  end

  -- Gives a group terms of its own, - for none. Answers whether it had others.
  function groups.limit(name, own)
    local group = load_group(name)
    if group.own == own then
      return false
    end
    group.own = own
    reconsider(name, group)
    return true
  end

  -- Pauses a group until a time, 0 for no pause. Answers whether that changes anything.
  function groups.pause(name, till)
    local group = load_group(name)
    settle_past(group)
    if group.paused == till then
      return false
    end
    group.paused = till
    reconsider(name, group)
    return true
  end

  -- Pauses a group until a time, or longer if it is paused already.
  function groups.pause_at_least(name, till)
    local group = load_group(name)
    group.paused = math.max(group.paused, till)
    reconsider(name, group)
  end

  -- The group whose turn it is, if any, and its first job; or nil and the first job without a group.
  local function whose_turn()
    local group = call('ZRANGEBYLEX', GROUPED, '[r', '(s', 'LIMIT', 0, 1)[1]
    local plain = call('ZRANGE', READY, 0, 0)[1]
    if not group then
      return nil, plain
    end
    if plain and sub(plain, 1, 1) .. format('%013x', plain_turn) < sub(group, 2, 15) then
      return nil, plain
    end
    return sub(group, 16)
  end

  -- Delivers the first job without a group; false if it does not fit.
  local function plain_turn_of(ready, next_job, deliver)
    local key, job, size, body = next_job(ready)
    if key and not deliver(key, job, size, body, ready) then
      return false
    end
    if key then
      plain_turn = next_turn()
    end
    return true
  end

  -- Delivers the first job of a group, if the group may start one; false if it does not fit.
  local function group_turn(name, default, next_job, deliver)
    local group, ready = load_group(name), first_of(name)
    local terms = group.own ~= '-' and read_terms(group.own) or default
    local spaced = group.next
    if admission(group, terms) ~= true or not ready then
      arrange(name, group, terms)
      return true
    end
    local key, job, size, body = next_job(ready, name)
    if not key or not deliver(key, job, size, body, ready, name) then
      group.next = spaced
      return key == nil
    end
    group.running = group.running + 1
    group.started = group.started + 1
    if terms.interval > 0 then
      group.next = math.min(math.max(group.next, now) + terms.interval, LAST)
    end
    arrange(name, group, terms)
    return true
  end

  -- Delivers ready jobs in turns: calls next_job(name, ready) for what to deliver, and
  -- deliver(key, job, size, body, name, ready), which answers whether it fits. Stops when is_full()
  -- says so.
  function groups.claim(default, next_job, deliver, is_full)
    groups.unblock(MAX_BATCH)
    default = read_terms(default)
    for _ = 1, MAX_BATCH do
      if is_full() then
        return
      end
      local name, ready = whose_turn()
      if not name and not ready then
        return
      end
      local fits
      if name then
        fits = group_turn(name, default, next_job, deliver)
      else
        fits = plain_turn_of(ready, next_job, deliver)
      end
      if not fits then
        return
      end
    end
  end

  -- What a group is, for an operator: adds to a reply its name, how many jobs wait and run, and what
  -- keeps it from a start (0 nothing, 1 its jobs at a time, 2 its rate, 3 its pause) for how long.
  function groups.describe(reply, name, default)
    local group = load_group(name)
    local terms = read_terms(group.own ~= '-' and group.own or default)
    local may, till = admission(group, terms)
    local why = ({ f = 1, s = 2, p = 3 })[may] or 0
    reply[#reply + 1] = name
    reply[#reply + 1] =
      call('ZLEXCOUNT', GROUPED, '[q' .. name .. '\n', '(q' .. name .. '\11')
    reply[#reply + 1] = group.running
    reply[#reply + 1] = why
    reply[#reply + 1] = till and till - now or 0
  end

  return groups
end

-- The number of ready jobs with a group.
local function count_queued()
  return call('ZLEXCOUNT', GROUPED, '[q', '(r')
end

-- Counts the end of a lease in its job's group, if the job has one.
local function free_slot(job)
  if job and job.group then
    grouped().free(job.group)
  end
end

-- When the next blocked group may start a job; nil if none is blocked.
local function next_unblocked()
  local first = call('ZRANGEBYLEX', GROUPED, '[b', '(c', 'LIMIT', 0, 1)[1]
  return first and tonumber(sub(first, 2, 15), 16)
end
