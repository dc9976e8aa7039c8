
-- Times by which the age of waiting jobs is told, in CONTROL as "marks": "TIME SEQUENCE;" for each, the
-- oldest first: no later sequence had been given by then.

local MAX_MARKS, MARK_PART, MARK_PERIOD = 128, 4, 1000000

local function read_marks(stored)
  local marks = {}
  for at, sequence in string.gmatch(stored or '', '(%d+) (%d+);') do
    marks[#marks + 1] = { at + 0, sequence + 0 }
  end
  return marks
end

-- Notes that no sequence above this one was given before now. Marks thin out as they age; those after
-- now are of a clock that went back.
local function mark(stored, sequence)
  local old = {}
  for _, one in ipairs(read_marks(stored)) do
    if one[1] <= now and one[2] < sequence then
      old[#old + 1] = one
    end
  end
  old[#old + 1] = { now, sequence }
  local kept = {}
  for i, one in ipairs(old) do
    local before, later = kept[#kept], old[i + 1]
    if not before or not later
        or later[1] - before[1] > math.floor((now - later[1]) / MARK_PART) then
      kept[#kept + 1] = one
    end
  end
  local texts = {}
  for i = math.max(#kept - MAX_MARKS, 0) + 1, #kept do
    texts[#texts + 1] = number(kept[i][1]) .. ' ' .. number(kept[i][2]) .. ';'
  end
  call('HSET', CONTROL, 'marks', table.concat(texts))
end

-- Makes a mark if jobs have entered since the last one, which a submission has made.
local function mark_entered(stored, sequence)
  local marks = read_marks(stored)
  local last = marks[#marks]
  if last and last[2] ~= sequence and now >= last[1] + MARK_PERIOD then
    mark(stored, sequence)
  end
end
