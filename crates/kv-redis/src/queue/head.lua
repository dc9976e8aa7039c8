-- The keys of a partition, in the order in which every script declares them:
--   CONTROL  HASH  format, paused, token, sequence, done, cancelled, evicted, largest, marks as
--                  marks.lua says, and the last
--                  request of each session as "lane:NAME": "REQUEST KEPT_UNTIL VERB REPLY". No body is
--                  longer than largest says; a partition of an older build has none, and may have
--                  bodies of any length.
--   JOBS     HASH  KEY: the body of a job
--   RECORDS  HASH  KEY: what differs from a fresh job, "KEYc": its checkpoint, or what a kept job
--                  returned, "KEYh": its past, as past.lua says; and a field that is no job's. Most jobs have neither, and looking for them in a large hash takes time.
--   READY    ZSET  at 0: KEY, whose own order is that of priority, then age; of a job that came
--                  back "PLACErTIMEKEY", where PLACE is like a KEY with the job's priority and the
--                  sequence of the last job that had entered by then, and TIME is that of the
--                  return in 14 hexadecimal digits: so it is behind all that entered or came back
--                  before, and ahead of those that enter later. KEY is the last 14 characters.
--   TIMED    ZSET  KEY at the time when it is due
--   LEASES   ZSET  "KEY:TOKEN" at the time when the lease ends, and at the end one that is no lease
--   DEAD     ZSET  KEY at the time of its death
--   UNIQUE   HASH  unique key: the KEY of the job that holds it
--   WINDOWS  ZSET  unique key at the end of its window
--   SESSIONS ZSET  "lane:NAME" at the time when it is forgotten
--   WAKE     LIST  one element at most: somebody should look here
--   GROUPED  ZSET  at 0: where groups and their ready jobs stand, as groups.lua says
--   GROUPS   HASH  what a group has beside its jobs, as groups.lua says
--   DONE     ZSET  KEY at the time when it was done, of the done jobs that are kept
-- Each key that a request declares costs time. Only four requests need the last: settles and
-- maintenance under a policy that keeps done jobs, control, and questions about jobs. Without the last
-- three, submit adds jobs without a group, and exchange does everything where the partition has the
-- first format, in which those of groups are empty; submit_grouped and exchange_grouped have them.
-- A partition that was purged has only CONTROL without a format, and its wake-up, for a week;
-- whoever then brings something in makes it anew and keeps its counters. All times are whole
-- microseconds since 1970 by the server's clock, below 2^53. A number is formatted by "%.0f":
-- tostring and .. lose digits.
local CONTROL, JOBS, RECORDS, READY, TIMED, LEASES, DEAD, UNIQUE, WINDOWS, SESSIONS, WAKE,
  GROUPED, GROUPS, DONE = unpack(KEYS)
-- A partition in which a job had a group has the second format, which builds without groups refuse.
local FORMAT, GROUPED_FORMAT = '3', '4'
local LAST, MAX_SEQUENCE = 9007199254740991, 562949953421311
local SESSION_LIFETIME, SESSION_SLACK, PAST_AT_ONCE = 600000000, 60000000, 2
local call = redis.call
local format, sub = string.format, string.sub
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
