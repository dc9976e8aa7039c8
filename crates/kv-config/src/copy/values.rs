//! Values and counters, with their lifetimes.

use kv_core::{
    Command, Cursor, ErrorKind, Lifetime, Pattern, RESERVED, Remaining, Reply, Result, ScanRequest,
    Write, is_reserved,
};

use super::position::Place;
use super::{Copied, StoreCopy};

/// About how many keys a step of the walk looks at.
const PAGE: usize = 500;

/// How many values are held at a time: they may be large.
const VALUES_AT_ONCE: usize = 16;

impl StoreCopy<'_> {
    /// Copies a page of keys; where to go on.
    pub(super) async fn copy_values(
        &self,
        cursor: Option<String>,
        copied: &mut Copied,
    ) -> Result<Place> {
        let (pattern, cursor) =
            (Pattern::within(self.from.key_prefix(), "*")?, cursor.map(Cursor::new));
        let request = ScanRequest { pattern: &pattern, cursor: cursor.as_ref(), limit: PAGE };
        let page = self.from.scan(request).await.map_err(|error| error.operation("copy"))?;
        let own: Vec<String> = page.keys.into_iter().filter(|key| self.is_copied(key)).collect();
        for keys in own.chunks(VALUES_AT_ONCE) {
            self.copy_some(keys, copied).await.map_err(|error| error.operation("copy"))?;
        }
        let next = page.next.map(|cursor| Place::Values(Some(cursor.as_str().to_owned())));
        Ok(next.unwrap_or_else(|| Place::partition(&self.queues, 0, 0)))
    }

    /// Programs' keys and counters; queues are brought over by their engines.
    fn is_copied(&self, key: &str) -> bool {
        let Some(own) = key.strip_prefix(self.from.key_prefix()) else { return false };
        let counter = own.strip_prefix(RESERVED).is_some_and(|kind| kind.starts_with("counter:"));
        counter || !is_reserved(own)
    }

    async fn copy_some(&self, keys: &[String], copied: &mut Copied) -> Result<()> {
        let reads = keys
            .iter()
            .flat_map(|key| [Command::Get { key: key.clone() }, Command::Ttl { key: key.clone() }]);
        let mut replies = self.from.execute(reads.collect()).await?.into_iter();
        let mut writes = Vec::with_capacity(keys.len());
        for key in keys {
            match (replies.next().transpose(), replies.next().transpose()) {
                (Ok(Some(Reply::Entry(Some(entry)))), Ok(Some(Reply::Remaining(Some(left))))) => {
                    let write = Write::ALWAYS.lifetime(lifetime(left));
                    writes.push(Command::Set { key: self.there(key), value: entry.value, write });
                }
                (Err(error), _) | (_, Err(error)) if error.kind() == ErrorKind::WrongType => {
                    copied.left_out += 1;
                }
                (Err(error), _) | (_, Err(error)) => return Err(error.key(key)),
                // It has ended meanwhile.
                _ => {}
            }
        }
        self.store_all(writes, copied).await
    }

    async fn store_all(&self, writes: Vec<Command>, copied: &mut Copied) -> Result<()> {
        let keys: Vec<String> = writes.iter().map(|write| write.key().to_owned()).collect();
        let replies = self.to.execute(writes).await?;
        for (key, reply) in keys.iter().zip(replies) {
            reply.map_err(|error| error.key(key))?;
            copied.values += 1;
        }
        Ok(())
    }

    /// The key under the prefix of the destination.
    fn there(&self, key: &str) -> String {
        let own = key.strip_prefix(self.from.key_prefix()).unwrap_or(key);
        [self.to.key_prefix(), own].concat()
    }
}

fn lifetime(left: Remaining) -> Lifetime {
    match left {
        Remaining::Expires(left) => Lifetime::In(left),
        Remaining::Forever => Lifetime::Never,
    }
}
