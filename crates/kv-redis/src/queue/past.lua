
-- What is kept of a job's past, in RECORDS at "KEYh": when it was submitted, if that was noted; how
-- its last delivery ended (f failed, s snoozed, o otherwise); then the time and the reason of each of
-- the last failures. A noted time is the job's place until it comes back: that has the sequence before
-- the job's own, which no job that came back has.

local MAX_HISTORY = 10

-- When a job was submitted, if that was noted and it has not come back.
local function noted(key, job)
  return job.place and job.place < tonumber(sub(key, 2), 16) and job.since or nil
end

local function is_past(past)
  if type(past) ~= 'table' or #past < 2 or #past % 2 == 1 then
    return false
  end
  for i = 3, #past, 2 do
    if type(past[i]) ~= 'number' or type(past[i + 1]) ~= 'string' then
      return false
    end
  end
  return (past[1] == false or type(past[1]) == 'number') and type(past[2]) == 'string'
end

-- Nothing if it cannot be read.
local function load_past(key)
  local packed = call('HGET', RECORDS, key .. 'h')
  local known, past = pcall(cmsgpack.unpack, packed or '')
  return known and is_past(past) and past or nil
end

-- When a job that may have come back was submitted, if that was noted.
local function enqueued(key, job)
  if not job.place then
    return nil
  end
  local past = not noted(key, job) and load_past(key)
  return noted(key, job) or past and past[1] or nil
end

-- Notes how a delivery ended, before the job takes a new place; and its failure, if it failed.
local function note_past(key, job, letter, failure)
  local at = noted(key, job)
  if not failure and not at and job.failed + job.crashes == 0 then
    return
  end
  local past = load_past(key) or { false, letter }
  past[1], past[2] = at or past[1], letter
  if failure then
    past[#past + 1] = now
    past[#past + 1] = failure
    while #past > 2 + 2 * MAX_HISTORY do
      table.remove(past, 3)
    end
  end
  call('HSET', RECORDS, key .. 'h', cmsgpack.pack(past))
end

-- Keeps the noted time of a job that takes a new place.
local function carry_note(key, job)
  if noted(key, job) then
    note_past(key, job, 'o')
  end
end

-- Makes a timed job ready. One that was never delivered keeps the place of its submission, and notes
-- since when it is claimable.
local function return_to_ready(key, job, since)
  if ended(job) > 0 then
    come_back(key, job)
    return
  end
  carry_note(key, job)
  job.place, job.since = tonumber(sub(key, 2), 16), since
  save(key, job)
  make_ready(key, job)
end
