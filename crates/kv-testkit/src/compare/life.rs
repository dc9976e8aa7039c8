//! When the keys of a sequence end, as far as the answers tell: for counting, not for judging.

use kv_core::{Lifetime, Outcome, Reply, Result};

use super::operation::{KEYS, Key, Operation, Verb};
use super::side::Answer;

/// What is known of one key.
#[derive(Clone, Copy, Default)]
enum Life {
    #[default]
    Missing,
    Forever,
    /// Milliseconds of the batch's time.
    Until(u64),
}

impl Life {
    fn is_alive(self, now: u64) -> bool {
        match self {
            Self::Missing => false,
            Self::Forever => true,
            Self::Until(ends) => ends > now,
        }
    }

    fn after(self, lifetime: Lifetime, now: u64) -> Self {
        match lifetime.as_millis() {
            Ok(Some(ms)) => Self::Until(now + ms),
            Ok(None) if lifetime == Lifetime::Keep && self.is_alive(now) => self,
            Ok(None) | Err(_) => Self::Forever,
        }
    }
}

/// What is known of every key.
#[derive(Default)]
pub(super) struct Lives([Life; KEYS.len()]);

impl Lives {
    /// Whether the operation is about a key whose time has ended, and that was not written since.
    pub(super) fn touches_expired(&self, operation: &Operation, now: u64) -> bool {
        let has_ended = |life: &Life| matches!(life, Life::Until(ends) if *ends <= now);
        operation.keys().iter().filter_map(|key| self.0.get(*key)).any(has_ended)
    }

    pub(super) fn learn(&mut self, operation: &Operation, answer: &Answer, now: u64) {
        match operation {
            Operation::One(key, verb) => self.learn_one(*key, verb, answer.replies.first(), now),
            Operation::Batch(commands) => {
                for ((key, verb), reply) in commands.iter().zip(&answer.replies) {
                    self.learn_one(*key, verb, Some(reply), now);
                }
            }
            Operation::SetMany(pairs, lifetime) if lifetime.as_millis().is_ok() => {
                for (key, _) in &pairs.0 {
                    self.change(*key, |life| life.after(*lifetime, now));
                }
            }
            Operation::DeleteMany(keys) => {
                for key in &keys.0 {
                    self.change(*key, |_| Life::Missing);
                }
            }
            Operation::SetMany(..) | Operation::GetMany(_) | Operation::Scan(_) => {}
        }
    }

    fn change(&mut self, key: Key, change: impl FnOnce(Life) -> Life) {
        if let Some(life) = self.0.get_mut(key) {
            *life = change(*life);
        }
    }

    fn learn_one(&mut self, key: Key, verb: &Verb, reply: Option<&Result<Reply>>, now: u64) {
        let Some(Ok(reply)) = reply else { return };
        match (verb, reply) {
            (Verb::Set { lifetime, .. }, Reply::Outcome(Outcome::Written(_))) => {
                self.change(key, |life| life.after(*lifetime, now));
            }
            (Verb::Delete { .. }, Reply::Flag(true)) | (Verb::Take, Reply::Entry(Some(_))) => {
                self.change(key, |_| Life::Missing);
            }
            (Verb::Touch { lifetime }, Reply::Flag(true)) => {
                self.change(key, |life| life.after(*lifetime, now));
            }
            (Verb::Increment { lifetime, .. }, Reply::Number(_)) => {
                self.change(key, |life| {
                    if life.is_alive(now) { life } else { life.after(*lifetime, now) }
                });
            }
            _ => {}
        }
    }
}
