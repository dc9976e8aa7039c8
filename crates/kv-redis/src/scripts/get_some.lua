-- KEYS     keys of values, at least one
-- ARGV[1]  how many bytes the values may have together
-- The values of the first keys, as many as fit, and of one at least. As MGET has it, a key of
-- another type has no value. The list is in a list, since its first values are the program's.
local left, count = tonumber(ARGV[1]), 0
for at, key in ipairs(KEYS) do
  local length = redis.pcall('STRLEN', key)
  if type(length) == 'number' then
    left = left - length
  elseif not string.find(length.err, 'WRONGTYPE', 1, true) then
    return length
  end
  if left < 0 and count > 0 then
    break
  end
  count = at
end
return { redis.call('MGET', unpack(KEYS, 1, count)) }
