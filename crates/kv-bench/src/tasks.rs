//! Tasks that run at once.

use tokio::task::{JoinHandle, JoinSet};

use crate::Result;

/// Runs a task for each thing and waits for all; the first error ends the others.
pub(crate) async fn at_once<T, F, Fut>(things: impl IntoIterator<Item = T>, make: F) -> Result<()>
where
    F: Fn(T) -> Fut,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let mut running: JoinSet<_> = things.into_iter().map(make).collect();
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}

/// Deals things out to so many, in turn.
pub(crate) fn deal<T>(things: Vec<T>, shares: usize) -> Vec<Vec<T>> {
    let mut dealt: Vec<Vec<T>> = (0..shares).map(|_| Vec::new()).collect();
    let mut rest = things.into_iter();
    while rest.len() > 0 && shares > 0 {
        for share in &mut dealt {
            share.extend(rest.next());
        }
    }
    dealt
}

/// A task that ends with its owner.
pub(crate) struct Background(JoinHandle<()>);

impl Background {
    pub(crate) fn start(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_dealt_out_evenly_and_none_is_lost() {
        assert_eq!(deal((1..=7).collect(), 3), [vec![1, 4, 7], vec![2, 5], vec![3, 6]]);
        assert_eq!(deal(vec![1], 2), [vec![1], vec![]]);
    }

    #[tokio::test]
    async fn the_error_of_one_task_is_the_error_of_all() {
        let task =
            |number| async move { if number == 2 { Err("the second".into()) } else { Ok(()) } };
        assert!(at_once(1..=1, task).await.is_ok());
        assert_eq!(at_once(1..=3, task).await.unwrap_err().to_string(), "the second");
    }
}
