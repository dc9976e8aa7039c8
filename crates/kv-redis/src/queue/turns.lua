
-- The claim of a partition in which jobs with a group are ready.

-- Delivers ready jobs in turns by deliver(key, job, size, body, ready, name), which answers whether a
-- job fits, as long as wanted() says how many more there should be.
local function take_turns(deliver, wanted)
  -- How many members of the ring are read together, at most.
  local TOGETHER = 100
  -- Of each group, its next ready jobs as far as they were read. The part of the ring that was read,
  -- the member whose turn is next, and whether nothing stood behind that part.
  local heads, ring, at, is_whole = {}

  -- Reads the next ready jobs of groups, and those of their jobs that this claim may deliver.
  local function read_heads(names)
    local most = math.ceil(wanted() / #names) + 1
    local keys = {}
    for _, name in ipairs(names) do
      local members = groups.first_of(name, most)
      heads[name] = { members = members, at = 1, is_whole = #members < most }
      for i = 1, math.min(#members, most - 1) do
        keys[#keys + 1] = sub(members[i], -14)
      end
    end
    read_ahead(keys)
    read_bodies(keys)
  end

  -- The first ready job of a group, and the one behind it.
  local function head_of(name)
    local head = heads[name]
    if not head or not head.is_whole and head.at >= #head.members then
      read_heads({ name })
      head = heads[name]
    end
    return head, head.members[head.at], head.members[head.at + 1]
  end

  -- Reads the next members of the ring, with what their groups may deliver.
  local function read_ring()
    local most = math.min(wanted(), TOGETHER)
    ring, at = groups.ring(most), 1
    is_whole = #ring < most
    local names = {}
    for i, member in ipairs(ring) do
      names[i] = sub(member, 16)
    end
    if #names > 0 then
      groups.load_all(names)
      read_heads(names)
    end
  end

  -- Goes on with the rest of the ring and the members that are new.
  local function turn_ring()
    if not is_whole then
      read_ring()
      return
    end
    local rest = {}
    for i = at, #ring do
      rest[#rest + 1] = ring[i]
    end
    groups.add_new(rest)
    table.sort(rest)
    ring, at = rest, 1
  end

  -- Delivers the first job without a group; false if it does not fit.
  local function plain_turn(ready)
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
  local function group_turn(name, default)
    local group = groups.load(name)
    local head, ready, second = head_of(name)
    local terms = group.own ~= '-' and groups.read_terms(group.own) or default
    local spaced = group.next
    if groups.admission(group, terms) ~= true or not ready then
      groups.arrange(name, group, terms, ready)
      return true
    end
    local key, job, size, body = next_job(ready, name)
    if key and not deliver(key, job, size, body, ready, name) then
      group.next = spaced
      return false
    end
    head.at = head.at + 1
    if not key then
      group.next = spaced
      return true
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
  read_ring()
  local plain = call('ZRANGE', READY, 0, 0)[1]
  for _ = 1, MAX_BATCH do
    if wanted() == 0 then
      break
    end
    -- Turns rise, so a group that had its turn can only come before less urgent ones.
    local member = ring[at]
    local is_less_urgent = member and sub(member, 2, 2) ~= sub(ring[1], 2, 2)
    if not member or is_less_urgent and groups.is_overtaken(member) then
      turn_ring()
      member = ring[at]
    end
    local fits = true
    if is_plain_next(plain, member) then
      fits = plain_turn(plain)
      plain = call('ZRANGE', READY, 0, 0)[1]
    elseif member then
      local name = sub(member, 16)
      fits = group_turn(name, default)
      at = groups.load(name).place .. name == member and at or at + 1
    else
      break
    end
    if not fits then
      break
    end
  end
  groups.settle()
end

-- Whether a job with a group is ready.
local function has_queued()
  grouped().settle()
  return #call('ZRANGEBYLEX', GROUPED, '[q', '(r', 'LIMIT', 0, 1) > 0
end

-- Delivers ready jobs as claim does, where groups take turns.
local function claim_in_turns(token)
  local keys, lent, till = {}, {}, number(after(lease))
  local function deliver_if_it_fits(key, job, size, body, name, group)
    if not fits(size) then
      return false
    end
    if group then
      groups.deliver(group, name)
    else
      call('ZREM', READY, name)
    end
    tell(reply, key, job, body)
    lent[#lent + 1] = till
    lent[#lent + 1] = key .. ':' .. token
    keys[#keys + 1] = key
    return true
  end
  take_turns(deliver_if_it_fits, function()
    return limit - #keys
  end)
  if #keys > 0 then
    call('ZADD', LEASES, unpack(lent))
  end
  return keys, #keys > 0
end
