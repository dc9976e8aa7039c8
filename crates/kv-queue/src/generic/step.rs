//! One step on an index: read, change, write if nobody else wrote meanwhile.

use std::time::Duration;

use kv_core::queue::{Partition, Policy};
use kv_core::{Bytes, Effect, Error, ErrorKind, Result, Write};
use kv_queue_machine::Machine;

use super::blobs::NotedTables;
use super::{GenericEngine, MAX_JOBS, index};

/// How often a step is tried before it fails with `Conflict`.
const ATTEMPTS: u32 = 48;

/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// New blobs of a step: names and contents.
pub(super) type Blobs = Vec<(Bytes, Bytes)>;

/// The machine of a step on an index.
pub(super) type Step<'a> = Machine<'a, NotedTables>;

/// A policy under which an index stays bounded.
pub(super) fn bounded(policy: Policy) -> Policy {
    let (keep_dead, keep_done) = (policy.keep_dead.min(MAX_JOBS), policy.keep_done.min(MAX_JOBS));
    Policy { keep_dead, keep_done, ..policy }
}

impl GenericEngine {
    /// Writes the blobs, then runs the step, possibly many times; only one run counts.
    pub(super) async fn step<R>(
        &self,
        partition: &Partition,
        blobs: Blobs,
        run: impl Fn(&mut Step<'_>) -> Result<R> + Send + Sync,
    ) -> Result<R>
    where
        R: Send,
    {
        self.step_if(partition, blobs, run, |_, _| Ok(())).await
    }

    /// The same, but changes nothing if `admit` refuses the tables after the step.
    pub(super) async fn step_if<R>(
        &self,
        partition: &Partition,
        blobs: Blobs,
        run: impl Fn(&mut Step<'_>) -> Result<R> + Send + Sync,
        admit: impl Fn(&NotedTables, &R) -> Result<()> + Send + Sync,
    ) -> Result<R>
    where
        R: Send,
    {
        let turns = self.turns(partition)?;
        self.write(partition, &blobs).await?;
        let turn = turns.take(partition.number).await;
        let done = self.attempt(partition, &blobs, run, admit).await;
        drop(turn);
        match done {
            Ok(done) => {
                if done.woken {
                    turns.wake();
                }
                self.discard(partition, done.garbage.iter()).await;
                Ok(done.answer)
            }
            Err(error) => {
                if error.effect() == Effect::NotApplied {
                    self.discard(partition, blobs.iter().map(|(name, _)| name)).await;
                }
                Err(error)
            }
        }
    }

    async fn attempt<R>(
        &self,
        partition: &Partition,
        blobs: &[(Bytes, Bytes)],
        run: impl Fn(&mut Step<'_>) -> Result<R> + Send + Sync,
        admit: impl Fn(&NotedTables, &R) -> Result<()> + Send + Sync,
    ) -> Result<Done<R>>
    where
        R: Send,
    {
        let key = index::key(partition);
        for attempt in 0..ATTEMPTS {
            let now = self.now().await?;
            let (tables, condition) = index::read(self.store(), &key).await?;
            let mut noted = NotedTables::new(tables);
            let answer = run(&mut Machine::new(&mut noted, now))?;
            admit(&noted, &answer)?;
            let woken = noted.tables.wakes() > 0;
            if noted.tables.is_changed() {
                let write = Write::ALWAYS.condition(condition);
                let encoded = noted.tables.encode()?;
                if !self.store().set(&key, encoded, write).await?.is_written() {
                    self.pause(attempt).await;
                    continue;
                }
            }
            return Ok(Done { answer, woken, garbage: noted.garbage(blobs) });
        }
        let message = format!("others changed the partition during each of {ATTEMPTS} attempts");
        Err(Error::new(ErrorKind::Conflict, message).key(&key))
    }

    async fn pause(&self, attempt: u32) {
        let most = Duration::from_millis(1 << attempt.min(10)).min(MAX_PAUSE);
        tokio::time::sleep(self.jitter(most)).await;
    }
}

/// A step that counts.
struct Done<R> {
    answer: R,
    woken: bool,
    garbage: Vec<Bytes>,
}
