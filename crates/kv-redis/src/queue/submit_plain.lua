
-- Adds jobs. ARGV: "lane:NAME" or "", the request's number, how many jobs, then for each
--   HEAD: its priority as a hexadecimal digit, then what is not plain about it, as a letter and
--     microseconds: d delay, t time to live; n to note its time; g with a group; last, with a
--     unique key: l while the job lives, r for the run, w and the microseconds of a window
--   BODY
--   UNIQUE, if the head says so
--   GROUP, if the head says so
-- Answers "aKEY" for a job that was added and "dKEY" for one whose unique key KEY holds, in order.
local session, request = ARGV[1], ARGV[2]
local control = call('HMGET', CONTROL, 'format', 'sequence', session, 'largest')

-- The common case comes before everything else, since to define functions takes time: on a session
-- that is known, jobs that are plain but for their priority. A text plus 0 is its number, without a
-- call.
local last, till = string.match(control[3] or '', '^(%d+) (%d+)')
local plain = control[1] == FORMAT and last and last + 0 < request + 0
    and till + 0 >= now + SESSION_LIFETIME
    and (control[2] or 0) + ARGV[3] <= MAX_SEQUENCE
    and #ARGV > 3 and #ARGV == 3 + 2 * ARGV[3]
for i = 4, plain and #ARGV or 0, 2 do
  plain = plain and #ARGV[i] == 1
end
if plain and #ARGV == 5 then
  local sequence = (control[2] or 0) + 1
  local key = ARGV[4] .. format('%013x', sequence)
  call('HSET', JOBS, key, ARGV[5])
  if control[4] and #ARGV[5] > control[4] + 0 then
    call('HSET', CONTROL, 'largest', #ARGV[5])
  end
  call('ZADD', READY, '0', key)
  call('HSET', CONTROL, 'sequence', format('%.0f', sequence), session,
    request .. ' ' .. till .. ' Sa' .. key)
  if call('LLEN', WAKE) == 0 then
    call('RPUSH', WAKE, '1')
  end
  return 'a' .. key
end
if plain then
  local sequence = tonumber(control[2] or 0)
  local formats, pairs, replies = {}, {}, {}
  local largest = control[4] and control[4] + 0 or LAST
  local longest = largest
  for i = 4, #ARGV, 2 do
    sequence = sequence + 1
    local head = ARGV[i]
    formats[head] = formats[head] or head .. '%013x'
    local key = format(formats[head], sequence)
    pairs[i - 3] = key
    local body = ARGV[i + 1]
    pairs[i - 2] = body
    replies[i / 2 - 1] = key
    if #body > longest then
      longest = #body
    end
  end
  call('HSET', JOBS, unpack(pairs))
  if longest > largest then
    call('HSET', CONTROL, 'largest', longest)
  end
  -- The same table with scores in place of the bodies; as text, since a number is formatted anew.
  for i = 2, #pairs, 2 do
    pairs[i] = '0'
  end
  call('ZADD', READY, '0', unpack(pairs, 1, #pairs - 1))
  local reply = 'a' .. table.concat(replies, 'a')
  call('HSET', CONTROL, 'sequence', format('%.0f', sequence), session,
    request .. ' ' .. till .. ' S' .. reply)
  if call('LLEN', WAKE) == 0 then
    call('RPUSH', WAKE, '1')
  end
  return reply
end
