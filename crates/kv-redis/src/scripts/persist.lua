-- KEYS[1]  the key
-- PERSIST alone answers 0 both for a missing key and for one that never expires.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('PERSIST', KEYS[1])
return 1
