
-- The claim of a partition in which jobs with a group are ready.

-- Delivers ready jobs in turns by deliver(key, job, size, body, ready, name), which answers whether a
-- job fits, as long as wanted() says how many more there should be.
local function take_turns(deliver, wanted)
  -- How many members of the ring are read together, at most.
  local TOGETHER = 100

  -- The next members of the ring, with their groups loaded.
  local function read_ring()
    groups.settle()
    local most = math.min(wanted(), TOGETHER)
    local ring = call('ZRANGEBYLEX', GROUPED, '[r', '(s', 'LIMIT', 0, most)
    local names = {}
    for i, member in ipairs(ring) do
      names[i] = sub(member, 16)
    end
    groups.load_all(names)
    return ring
  end

  -- Delivers the first job without a group; false if it does not fit.
  local function plain_turn(ready, deliver)
    local key, job, size, body = next_job(ready)
    if key and not deliver(key, job, size, body, ready) then
      return false
    end
    if key then
      groups.take_plain_turn()
    end
    return true
  end

  -- Delivers the first job of a group, if the group may start one; false if it does not fit.
  local function group_turn(name, default, deliver)
    local group = groups.load(name)
    local ready, second = groups.first_of(name, 2)
    local terms = group.own ~= '-' and groups.read_terms(group.own) or default
    local spaced = group.next
    if groups.admission(group, terms) ~= true or not ready then
      groups.arrange(name, group, terms, ready)
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
    groups.arrange(name, group, terms, second)
    return true
  end

  -- Whether the jobs without a group, of which this is the first, come before a member of the ring.
  local function is_plain_next(plain, member)
    local place = plain and sub(plain, 1, 1) .. format('%013x', groups.plain_turn())
    return plain and (not member or place < sub(member, 2, 15))
  end

  grouped().unblock(MAX_BATCH)
  local default = groups.read_terms(policy.group)
  groups.collect()
  local ring, at, plain = read_ring(), 1, call('ZRANGE', READY, 0, 0)[1]
  for _ = 1, MAX_BATCH do
    if wanted() == 0 then
      break
    end
    -- Turns rise, so a group that had its turn can only come before less urgent ones.
    local member = ring[at]
    local is_less_urgent = member and sub(member, 2, 2) ~= sub(ring[1], 2, 2)
    if not member or is_less_urgent and groups.is_overtaken(member) then
      ring, at = read_ring(), 1
      member = ring[1]
    end
    local fits = true
    if is_plain_next(plain, member) then
      fits = plain_turn(plain, deliver)
      plain = call('ZRANGE', READY, 0, 0)[1]
    elseif member then
      local name = sub(member, 16)
      fits = group_turn(name, default, deliver)
      at = groups.load(name).place .. name == member and at or at + 1
    else
      break
    end
    if not fits then
      break
    end
  end
  groups.settle(true)
end
