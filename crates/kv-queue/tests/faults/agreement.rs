//! Whether everything that is stored of a queue agrees: each index with each body.

use kv_core::queue::Counts;
use kv_testbed::{RedisServer, Reply};

use crate::bench::{one, queue};

/// What does not agree in the partitions of all queues, as the engine's layout says it must: a
/// job is in one set and has a body, nothing is stored of others, sessions are remembered with an
/// end, and every job that ever entered is somewhere or was counted out.
const DISAGREEMENTS: &str = r"
local found = {}
for _, control in ipairs(redis.call('KEYS', '*:control')) do
  local base = string.sub(control, 1, -8)
  local function say(what) found[#found + 1] = base .. what end
  local jobs, count = {}, 0
  for _, part in ipairs({ 'ready', 'timed', 'leases', 'dead' }) do
    for _, member in ipairs(redis.call('ZRANGE', base .. part, 0, -1)) do
      -- Before the key of a ready job stands its place, if it came back.
      local key = part == 'ready' and string.sub(member, -14) or string.sub(member, 1, 14)
      -- The set of leases holds one member that is no lease.
      if string.sub(key, 1, 1) ~= '-' then
        if jobs[key] then say(key .. ' is in ' .. jobs[key] .. ' and in ' .. part) end
        jobs[key], count = part, count + 1
        if redis.call('HEXISTS', base .. 'jobs', key) == 0 then say(key .. ' has no body') end
      end
    end
  end
  for _, field in ipairs(redis.call('HKEYS', base .. 'jobs')) do
    local key = string.sub(field, 1, 14)
    if not jobs[key] then say(key .. ' is no job') end
  end
  local sessions = 0
  for _, field in ipairs(redis.call('HKEYS', control)) do
    if string.sub(field, 1, 5) == 'lane:' then
      sessions = sessions + 1
      if not redis.call('ZSCORE', base .. 'lanes', field) then say(field .. ' has no end') end
    end
  end
  if sessions ~= redis.call('ZCARD', base .. 'lanes') then say('sessions that are not there') end
  local entered = tonumber(redis.call('HGET', control, 'sequence') or 0)
  for _, gone in ipairs({ 'done', 'cancelled', 'evicted' }) do
    count = count + tonumber(redis.call('HGET', control, gone) or 0)
  end
  if entered ~= count then say(entered .. ' entered and ' .. count .. ' are known') end
end
return found";

/// Asserts that everything stored agrees.
pub(crate) fn assert_agrees(server: &RedisServer) {
    assert_eq!(disagreements(server), Vec::<String>::new());
}

fn disagreements(server: &RedisServer) -> Vec<String> {
    match server.cli(&["EVAL", DISAGREEMENTS, "0"]).unwrap() {
        Reply::Array(found) => found.iter().filter_map(Reply::text).collect(),
        other => panic!("{other:?}"),
    }
}

/// Asserts that every job that entered is somewhere, or was counted out.
pub(crate) fn assert_adds_up(counts: &Counts) {
    let known = counts.outstanding() + counts.dead + counts.done + counts.cancelled;
    assert_eq!(counts.entered, known + counts.evicted, "{counts:?}");
}

#[tokio::test]
async fn what_does_not_agree_is_found() {
    let server = RedisServer::start().unwrap();
    let queue = queue::<u32>(&server).await;
    queue.enqueue_many([1, 2, 3]).await.unwrap();
    let delivery = one(&queue).await;
    delivery.checkpoint(&7).await.unwrap();
    assert_agrees(&server);
    let base = "data_fetcher:!kv:{!kv:queue:faults:0}";
    let key = |part: &str| format!("{base}:{part}");
    for (command, found) in [
        (["HDEL", &key("jobs"), "80000000000002"], "80000000000002 has no body"),
        (["ZREM", &key("ready"), "80000000000003"], "80000000000003 is no job"),
        (["DEL", &key("lanes"), "x"], "has no end"),
        (["HDEL", &key("control"), "sequence"], "0 entered"),
    ] {
        server.cli(&command).unwrap();
        let all = disagreements(&server);
        assert!(all.iter().any(|it| it.contains(found)), "{found:?} is not in {all:?}");
    }
}
