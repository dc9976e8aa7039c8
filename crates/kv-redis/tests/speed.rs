//! A batch travels in one round trip. Alone in its binary, since it looks at the clock.

use std::time::Duration;

use kv_core::{Command, KeyValueStore, Lifetime, Write};
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{Mode, Proxy, RedisServer};
use tokio::time::Instant;

const EACH_WAY: Duration = Duration::from_millis(5);
const LIMIT: Duration = Duration::from_millis(30);
const RUNS: usize = 11;

fn hundred() -> Vec<Command> {
    let one = |at: usize| {
        let key = format!("k{}", at % 10);
        match at % 4 {
            0 => Command::Set { key, value: "1".into(), write: Write::ALWAYS },
            1 => Command::Get { key },
            2 => Command::Increment { key, by: 1, lifetime: Lifetime::In(Duration::from_secs(9)) },
            _ => Command::Exists { key },
        }
    };
    (0..100).map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_operations_take_one_round_trip() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
    let config = RedisConfig::builder().host("127.0.0.1").port(proxy.port());
    let store = RedisStore::connect(config.build().unwrap()).await.unwrap();
    proxy.set_mode(Mode::Delay { request: EACH_WAY, reply: EACH_WAY });
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let replies = store.execute(hundred()).await.unwrap();
        times.push(start.elapsed());
        assert!(replies.iter().all(Result::is_ok) && replies.len() == 100);
    }
    times.sort();
    assert!(times[0] >= 2 * EACH_WAY, "the proxy delays nothing: {times:?}");
    assert!(times[RUNS / 2] < LIMIT, "{times:?}");
    println!("median {:?} of {times:?}", times[RUNS / 2]);
}
