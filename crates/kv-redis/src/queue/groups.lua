
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
  -- The members of GROUPED that come (true) and go (false), which are written together; the groups
  -- with ready jobs among them; and the ring's new members by their groups, the first of them too.
  local pending, touched, arriving, first_new = {}, {}, {}

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

  local function read_group(name, stored)
    local place, listed, running, next_start, paused, started, own =
      string.match(stored, '^(%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%S+)$')
    local group = {
      stored = stored,
      place = place or '-',
      listed = listed or '-',
      running = (running or 0) + 0,
      next = (next_start or 0) + 0,
      paused = (paused or 0) + 0,
      started = (started or 0) + 0,
      own = own or '-',
    }
    known[name] = group
    return group
  end

  local function load_group(name)
    return known[name] or read_group(name, call('HGET', GROUPS, name) or '')
  end

  local function write_group(group)
    return format('%s %s %d %d %d %d %s', group.place, group.listed, group.running, group.next,
      group.paused, group.started, group.own)
  end

  -- Writes the members that come and go.
  local function settle()
    if not next(pending) then
      return
    end
    local added, removed = {}, {}
    for member, comes in pairs(pending) do
      if comes then
        added[#added + 1] = '0'
        added[#added + 1] = member
      else
        removed[#removed + 1] = member
      end
    end
    pending, touched = {}, {}
    call_with('ZREM', GROUPED, removed)
    call_with('ZADD', GROUPED, added)
  end

  -- Writes what was changed, and wakes somebody if a group may have work.
  function groups.flush()
    settle()
    local changed, gone = {}, {}
    for name, group in pairs(known) do
      local stored = group.listed ~= '-' and write_group(group) or ''
      if stored == '' and group.stored ~= '' then
        gone[#gone + 1] = name
      elseif stored ~= group.stored then
        changed[#changed + 1] = name
        changed[#changed + 1] = stored
      end
    end
    call_with('HSET', GROUPS, changed)
    call_with('HDEL', GROUPS, gone)
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
    local left = group.place .. name
    if arriving[name] == left then
      arriving[name] = nil
    end
    if sub(left, 1, 1) == 'r' and pending[left] then
      -- A place in the ring is never taken twice, so one that was not written yet need not go.
      pending[left] = nil
    elseif #group.place > 1 then
      pending[left] = false
    end
    if #place > 1 then
      pending[place .. name] = true
    end
    if sub(place, 1, 1) == 'r' then
      arriving[name] = place .. name
      first_new = first_new and first_new < arriving[name] and first_new or arriving[name]
    end
    group.place = place
  end

  local function list(name, group, listed)
    if group.listed == listed then
      return
    end
    if group.listed ~= '-' then
      pending[group.listed .. name] = false
    end
    if listed ~= '-' then
      pending[listed .. name] = true
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

  -- The first ready jobs of a group, without the q and the name.
  local function first_of(name, most)
    if touched[name] then
      settle()
    end
    local from = 'q' .. name .. '\n'
    local found =
      call('ZRANGEBYLEX', GROUPED, '[' .. from, '(q' .. name .. '\11', 'LIMIT', 0, most)
    for i, member in ipairs(found) do
      found[i] = sub(member, #from + 1)
    end
    return found
  end

  -- Places a group with ready jobs that stands nowhere, of which this is the first if that is known.
  local function arrive(name, group, first)
    if group.paused > now then
      move(name, group, stamp('b', group.paused))
      return
    end
    first = first or first_of(name, 1)[1]
    if first then
      may_work = true
      take_turn(name, group, sub(first, 1, 1))
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

  -- Finds the place in the ring of a group that a claim met, whose first ready job this is.
  local function arrange(name, group, terms, member)
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
    pending['q' .. name .. '\n' .. ready], touched[name] = true, true
    local group = load_group(name)
    local place = sub(group.place, 1, 1)
    if place == 'r' then
      may_work = true
      if sub(key, 1, 1) < sub(group.place, 2, 2) then
        take_turn(name, group, sub(key, 1, 1))
      end
    elseif place == '-' then
      list(name, group, stamp('g', LAST))
      arrive(name, group, ready)
    end
  end

  -- Takes a ready job out of its group, other than by a claim. Answers whether it was there.
  function groups.take(name, ready)
    settle()
    if call('ZREM', GROUPED, 'q' .. name .. '\n' .. ready) == 0 then
      return false
    end
    local group = load_group(name)
    local member = first_of(name, 1)[1]
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
    settle()
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
    settle()
    local past = call('ZRANGEBYLEX', GROUPED, '[g', '(' .. stamp('g', now + 1), 'LIMIT', 0, limit)
    for _, member in ipairs(past) do
      local name = sub(member, 16)
      list(name, load_group(name), '-')
    end
    return #past
  end

  -- Whether a group is past its time of a kind: b or g.
  function groups.is_past(letter)
    settle()
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
    if (group.paused > now and group.paused or 0) == till then
      return false
    end
    settle_past(group)
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

  -- What a claim in turns does with groups, as turns.lua says.
  groups.read_terms, groups.load, groups.first_of = read_terms, load_group, first_of
  groups.admission, groups.arrange, groups.settle = admission, arrange, settle

  -- Loads groups that are not loaded yet, together.
  function groups.load_all(names)
    local missing = {}
    for _, name in ipairs(names) do
      if not known[name] then
        missing[#missing + 1] = name
      end
    end
    local stored = #missing > 0 and call('HMGET', GROUPS, unpack(missing)) or {}
    for i, name in ipairs(missing) do
      read_group(name, stored[i] or '')
    end
  end

  -- The first members of the ring.
  function groups.ring(most)
    settle()
    arriving, first_new = {}, nil
    return call('ZRANGEBYLEX', GROUPED, '[r', '(s', 'LIMIT', 0, most)
  end

  -- Adds the members of the ring that are new since it was read.
  function groups.add_new(ring)
    for _, member in pairs(arriving) do
      ring[#ring + 1] = member
    end
    arriving, first_new = {}, nil
  end

  -- Takes a job that is delivered out of its group.
  function groups.deliver(name, ready)
    pending['q' .. name .. '\n' .. ready], touched[name] = false, true
  end

  -- Whether a group that had its turn comes before this member of the ring.
  function groups.is_overtaken(member)
    return first_new and first_new < member
  end

  function groups.plain_turn()
    return plain_turn
  end

  -- Gives the jobs without a group the next turn.
  function groups.take_plain_turn()
    plain_turn = next_turn()
  end

  -- What a group is, for an operator: adds to a reply its name, how many jobs wait and run, and what
  -- keeps it from a start (0 nothing, 1 its jobs at a time, 2 its rate, 3 its pause) for how long.
  function groups.describe(reply, name, default)
    settle()
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

-- The number of ready jobs with a group; of what is written.
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
  local first = GROUPED and call('ZRANGEBYLEX', GROUPED, '[b', '(c', 'LIMIT', 0, 1)[1]
  return first and tonumber(sub(first, 2, 15), 16)
end
