//! The same question to several servers, and the first answer.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use kv_core::{Error, Result};
use tokio::time::timeout;

/// How long to wait for one server before the next one is asked too.
const PATIENCE: Duration = Duration::from_millis(300);

/// Asks one after another until one answers. A silent server does not delay the others.
///
/// # Errors
/// The errors of all, if none answers.
pub(super) async fn first_of<T, F>(asks: impl Iterator<Item = F>) -> Result<T, Vec<Error>>
where
    F: Future<Output = Result<T>>,
{
    let (mut asks, mut errors) = (asks.fuse(), Vec::new());
    let mut asked = FuturesUnordered::new();
    loop {
        let next = asks.next();
        let is_last = next.is_none();
        asked.extend(next);
        let answer = match is_last {
            true => asked.next().await,
            false => timeout(PATIENCE, asked.next()).await.unwrap_or_default(),
        };
        match answer {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => errors.push(error),
            None if is_last => return Err(errors),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use kv_core::ErrorKind;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_holds_up_nobody_and_who_fails_is_passed_at_once() {
        let asks = (0..4).map(async |number| match number {
            0 => pending().await,
            1 => Err(Error::new(ErrorKind::Auth, "no")),
            number => Ok(number),
        });
        assert_eq!(first_of(asks).await.ok(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_all_said_is_told_if_none_answers() {
        let asks = ["one", "two"].into_iter();
        let asks = asks.map(async |word| Err::<(), _>(Error::new(ErrorKind::Auth, word)));
        let said = first_of(asks).await.unwrap_err();
        assert_eq!(said.iter().map(ToString::to_string).collect::<Vec<_>>(), ["one", "two"]);
    }
}
