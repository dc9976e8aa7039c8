
-- What a lane, stored as this record, remembers of a request: until when it is remembered, and the
-- reply if this very request was done before.
local function recall(record, request, verb)
  if not record then
    return 0
  end
  local last, till, of, reply = string.match(record, '^(%d+) (%d+) (%a)(.*)$')
  if not last then
    error({ err = 'KVCORRUPT a lane cannot be read' })
  end
  local ahead = tonumber(request) - tonumber(last)
  if ahead > 0 then
    return tonumber(till)
  end
  if ahead < 0 then
    error({ err = 'KVCONFLICT request ' .. request .. ' on a lane whose last one was ' .. last })
  end
  if of ~= verb then
    error({ err = 'KVCONFLICT request ' .. request .. ' of this lane was of another verb' })
  end
  return tonumber(till), reply
end
