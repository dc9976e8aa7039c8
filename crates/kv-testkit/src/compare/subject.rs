//! The two stores of a comparison, and opening them anew.

use std::time::Duration;

use kv_core::Capabilities;

use super::side::Side;
use crate::trial::End;
use crate::{Backend, Failure, Trial};

/// A store under comparison.
struct Subject<'b> {
    /// None only while it is opened anew, and after that failed.
    trial: Option<Trial<'b>>,
    reopens: bool,
}

impl<'b> Subject<'b> {
    /// A store, after its backend was asked whether it reopens.
    async fn new<B: Backend>(backend: &'b B) -> Result<Self, Failure> {
        let asked = Trial::new(backend).await?.reopen(End::Closed, Duration::ZERO).await?;
        let reopens = asked.is_some();
        let trial = match asked {
            Some(trial) => trial,
            None => Trial::new(backend).await?,
        };
        Ok(Self { trial: Some(trial), reopens })
    }

    fn trial(&self) -> Result<&Trial<'b>, Failure> {
        self.trial.as_ref().ok_or_else(|| Failure::new("reopen: the store is gone"))
    }

    /// Opens the store anew if it can be; nobody else has a handle. Whether it was.
    async fn reopen(&mut self, end: End) -> Result<bool, Failure> {
        let Some(trial) = self.trial.take_if(|_| self.reopens) else { return Ok(false) };
        self.trial = trial.reopen(end, Duration::ZERO).await?;
        self.trial()?;
        Ok(true)
    }
}

/// Both stores.
pub(super) struct Pair<'b> {
    left: Subject<'b>,
    right: Subject<'b>,
}

impl<'b> Pair<'b> {
    pub(super) async fn new<A: Backend, B: Backend>(
        left: &'b A,
        right: &'b B,
    ) -> Result<Self, Failure> {
        Ok(Self { left: Subject::new(left).await?, right: Subject::new(right).await? })
    }

    pub(super) fn capabilities(&self) -> Result<(Capabilities, Capabilities), Failure> {
        Ok((self.left.trial()?.capabilities(), self.right.trial()?.capabilities()))
    }

    /// Handles of both, for keys with a prefix of their own.
    pub(super) fn sides(&self, prefix: &str, exact: bool) -> Result<(Side, Side), Failure> {
        let left = Side::new(self.left.trial()?, prefix, exact);
        Ok((left, Side::new(self.right.trial()?, prefix, exact)))
    }

    /// Gives sides that let go of their handles new ones.
    pub(super) fn take_hold(&self, left: &mut Side, right: &mut Side) -> Result<(), Failure> {
        left.take_hold(self.left.trial()?);
        right.take_hold(self.right.trial()?);
        Ok(())
    }

    /// Opens the stores anew that can be; how many were.
    pub(super) async fn reopen(&mut self, end: End) -> Result<u64, Failure> {
        let (left, right) = (self.left.reopen(end).await?, self.right.reopen(end).await?);
        Ok(u64::from(left) + u64::from(right))
    }

    pub(super) fn advance(&self, by: Duration) {
        for subject in [&self.left, &self.right] {
            if let Some(trial) = &subject.trial {
                trial.advance(by);
            }
        }
    }
}
