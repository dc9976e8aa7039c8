//! The one place that waits for something outside the process.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(1);

/// Asks `probe` again and again until it answers or `limit` has passed; `None` then.
///
/// An external process sends no event when it becomes ready, so this polls, once a millisecond.
/// The limit only bounds a failure: a test that passes does not depend on it.
///
/// ```
/// use std::time::Duration;
/// let mut asked = 0;
/// let answer = kv_testbed::eventually(Duration::from_secs(5), || {
///     asked += 1;
///     (asked == 3).then_some("ready")
/// });
/// assert_eq!(answer, Some("ready"));
/// assert_eq!(kv_testbed::eventually(Duration::ZERO, || None::<()>), None);
/// ```
#[expect(clippy::disallowed_methods, reason = "an external process can only be polled")]
pub fn eventually<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return Some(answer);
        }
        if start.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}
