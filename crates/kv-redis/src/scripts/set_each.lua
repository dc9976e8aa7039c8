-- KEYS     keys, at least one
-- ARGV     for each key a value, and the milliseconds that it lives, or 0 for ever
-- Writes all values. The server refuses the first, or none.
for at, key in ipairs(KEYS) do
  local value, millis = ARGV[2 * at - 1], ARGV[2 * at]
  if millis == '0' then
    redis.call('SET', key, value)
  else
    redis.call('SET', key, value, 'PX', millis)
  end
end
return #KEYS
