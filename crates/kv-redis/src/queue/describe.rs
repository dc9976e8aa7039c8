//! What is stored of a queue as a whole, compared with what is asked for.
//!
//! Builds before format 3 kept a queue under other names. One that still holds jobs there is refused:
//! it would look empty, and its jobs would be forgotten.

use bytes::Bytes;
use kv_core::{Error, ErrorKind, Result};

use super::{FORMAT, RedisQueues, keys};
use crate::driver::{Answer, Request, decimal};
use crate::verbs::{number, unexpected};

/// What the server answers of a queue.
struct Described {
    /// The format and the number of partitions; nothing where it waits for [`Self::former`].
    stored: Option<(Bytes, Bytes)>,
    /// How many partitions a queue of this name has under the former names, if there is one.
    former: Option<u32>,
}

impl RedisQueues {
    /// Creates the queue, unless it is there, and compares what is stored with what is asked for.
    pub(super) async fn describe(&self, queue: &str, partitions: u32) -> Result<()> {
        let mut described = self.described(queue, partitions, false).await?;
        if let Some(former) = described.former {
            self.check_former(queue, former).await?;
        }
        if described.stored.is_none() {
            described = self.described(queue, partitions, true).await?;
        }
        let (format, stored) = described.stored.ok_or_else(unexpected)?;
        check_stored(&format, &stored, partitions)
    }

    async fn described(&self, queue: &str, partitions: u32, is_alone: bool) -> Result<Described> {
        let keys = [
            keys::of_queue(&self.key_prefix, queue),
            keys::former_of_queue(&self.key_prefix, queue),
        ];
        let args = vec![
            Bytes::from_static(FORMAT.as_bytes()),
            decimal(partitions),
            decimal(u32::from(is_alone)),
        ];
        let request = Request::Script { script: self.scripts.open, keys: keys.into(), args };
        let Answer::List(parts) = self.driver.call(request).await? else {
            return Err(unexpected());
        };
        let Ok([format, stored, former]) = <[Answer; 3]>::try_from(parts) else {
            return Err(unexpected());
        };
        let stored = match (format, stored) {
            (Answer::Data(format), Answer::Data(stored)) => Some((format, stored)),
            (Answer::Nil, _) => None,
            _ => return Err(unexpected()),
        };
        let former = match former {
            Answer::Nil => None,
            Answer::Data(text) => Some(number(&text)?),
            _ => return Err(unexpected()),
        };
        Ok(Described { stored, former })
    }

    /// Refuses where the queue still holds jobs under its former names.
    async fn check_former(&self, queue: &str, partitions: u32) -> Result<()> {
        let mut jobs: i64 = 0;
        for number in 0..partitions {
            let keys = keys::former_of_partition(&self.key_prefix, queue, number);
            let request = Request::Script { script: self.scripts.former, keys, args: Vec::new() };
            match self.driver.call(request).await? {
                Answer::Int(found) => jobs = jobs.saturating_add(found),
                _ => return Err(unexpected()),
            }
        }
        if jobs == 0 {
            return Ok(());
        }
        let message = format!(
            "the queue holds {jobs} jobs, dead letters included, in format 2; expected {FORMAT}: let \
             them be worked off with the build that made them"
        );
        Err(Error::new(ErrorKind::Config, message))
    }
}

fn check_stored(format: &[u8], stored: &[u8], partitions: u32) -> Result<()> {
    if *format != *FORMAT.as_bytes() {
        let format = String::from_utf8_lossy(format);
        let message = format!("the queue is stored in format {format}; expected {FORMAT}");
        return Err(Error::new(ErrorKind::Config, message));
    }
    let stored: u32 = number(stored)?;
    if stored != partitions {
        let message = format!("{partitions} partitions; the queue has {stored}");
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(())
}
