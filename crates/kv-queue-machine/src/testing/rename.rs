//! Tokens of the machine and of a subject.

use std::collections::HashMap;

use kv_core::queue::{Exchanged, Handle, Inspected, Standing};

use super::ask::{Answer, Request};

/// Which token of the subject corresponds to which token of the machine, in one partition.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    to_subject: HashMap<u64, u64>,
    to_model: HashMap<u64, u64>,
    last: u64,
}

impl Tokens {
    /// A request with the subject's tokens; a token that no claim returned stays as it is.
    pub(super) fn for_subject(&self, mut request: Request) -> Request {
        if let Request::Exchange(exchange) = &mut request {
            let handles = exchange.operations.iter_mut().map(|(handle, _)| handle);
            for handle in exchange.acks.iter_mut().chain(handles) {
                handle.token = *self.to_subject.get(&handle.token).unwrap_or(&handle.token);
            }
        }
        request
    }

    /// The subject's answer with the machine's tokens, where they are known or new.
    pub(super) fn for_model(
        &mut self,
        model: &Answer,
        mut subject: Answer,
    ) -> Result<Answer, String> {
        if let (Answer::Exchange(model), Answer::Exchange(subject)) = (model, &mut subject) {
            self.learn(model, subject)?;
            for claimed in &mut subject.claimed {
                let token = claimed.handle.token;
                claimed.handle.token = *self.to_model.get(&token).unwrap_or(&token);
            }
        }
        match &mut subject {
            Answer::Inspect(Inspected::Job { job: Some(job), .. }) => {
                self.rename(&mut job.view.standing);
            }
            Answer::Inspect(Inspected::List(page)) => {
                page.jobs.iter_mut().for_each(|job| self.rename(&mut job.standing));
            }
            _ => {}
        }
        Ok(subject)
    }

    fn rename(&self, standing: &mut Standing) {
        if let Standing::Running { token, .. } = standing {
            *token = *self.to_model.get(token).unwrap_or(token);
        }
    }

    fn learn(&mut self, model: &Exchanged, subject: &Exchanged) -> Result<(), String> {
        for (ours, theirs) in model.claimed.iter().zip(&subject.claimed) {
            let (ours, theirs): (Handle, Handle) = (ours.handle, theirs.handle);
            if self.to_subject.contains_key(&ours.token) {
                continue;
            }
            if theirs.token <= self.last || theirs.token > kv_core::queue::MAX_STAMP {
                return Err(format!("token {} after {}", theirs.token, self.last));
            }
            self.last = theirs.token;
            self.to_subject.insert(ours.token, theirs.token);
            self.to_model.insert(theirs.token, ours.token);
        }
        Ok(())
    }
}
