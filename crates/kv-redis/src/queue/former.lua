-- How many jobs a partition of a build before format 3 holds, dead letters included. KEYS: its READY,
-- TIMED, LEASES and DEAD. The lease that never ends is none.
local jobs = redis.call('ZCOUNT', KEYS[3], '-inf', '(inf')
for _, set in ipairs({ KEYS[1], KEYS[2], KEYS[4] }) do
  jobs = jobs + redis.call('ZCARD', set)
end
return jobs
