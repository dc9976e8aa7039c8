
-- Settles, extends and checkpoints, then claims. ARGV: "lane:NAME", the request's number, how many
-- acks, how many operations, how many to claim at most, how many bytes of them, their lease, the
-- policy as "FAILURES CRASHES DELIVERIES KEEP_DEAD KEEP_DEAD_FOR" with -1 for ever, and a sixth word
-- if groups without terms of their own have a limit, which is as groups.lua says; all six and
-- " KEEP_DONE KEEP_DONE_FOR" if done jobs are kept; then for each ack "KEY:TOKEN", and for each
-- operation its letter, "KEY:TOKEN" and two values:
--   r retry       delay, reason
--   f fail        "", reason
--   s snooze      delay, ""
--   u release     "", ""
--   d done        "", what the job returned
--   l limited     pause of the group, ""
--   e extend      lease, ""
--   c checkpoint  progress, state
-- Answers when to come back, in microseconds, -1 for never, or -2 where the claim came back short
-- although jobs are left; the token of the claims; the verdicts on the acks and on the operations
-- as letters (a applied, b buried, s stale, c cancelled); then for each claim "KEY", "KEY ATTEMPT
-- DELIVERY" or "KEY ATTEMPT DELIVERY PROGRESS", behind "@TIME " if the time of its submission was
-- noted, all behind a + if it has a group; its body, with a progress the checkpoint, and with a + the
-- group.
local session, request = ARGV[1], ARGV[2]
-- A text plus 0 is its number, without a call.
local acks, operations, limit = ARGV[3] + 0, ARGV[4] + 0, ARGV[5] + 0
local bytes, lease, HEADER = ARGV[6] + 0, ARGV[7], 8
local control = call('HMGET', CONTROL, 'format', 'paused', 'token', 'done', session, 'largest')
