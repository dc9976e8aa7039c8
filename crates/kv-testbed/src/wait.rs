//! The one place that waits for something outside the process.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(1);
const LONG_PAUSE: Duration = Duration::from_millis(20);

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
pub fn eventually<T>(limit: Duration, probe: impl FnMut() -> Option<T>) -> Option<T> {
    poll(PAUSE, limit, probe)
}

/// [`eventually`] for what takes seconds and is asked of several servers: it asks less often.
pub(crate) fn patiently<T>(limit: Duration, probe: impl FnMut() -> Option<T>) -> Option<T> {
    poll(LONG_PAUSE, limit, probe)
}

#[expect(clippy::disallowed_methods, reason = "an external process can only be polled")]
fn poll<T>(pause: Duration, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return Some(answer);
        }
        if start.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(pause);
    }
}
