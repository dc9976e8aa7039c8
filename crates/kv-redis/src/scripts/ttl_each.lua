-- KEYS     keys, at least one
-- For each key what PTTL answers.
local left = {}
for at, key in ipairs(KEYS) do
  left[at] = redis.call('PTTL', key)
end
return left
