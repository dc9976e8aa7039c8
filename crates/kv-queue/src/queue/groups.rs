//! Groups of a queue: what an operator sees and changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use kv_core::Result;
use kv_core::queue::{
    Control, GroupLimit, GroupState, Inspect, Inspected, MAX_BATCH, Partition, check_group,
};

use super::enqueue::partition_of;
use super::handle::Queue;
use super::operate::unexpected;

/// How many partitions a call asks at once.
const AT_ONCE: usize = 16;

/// How many groups one call shows: of a queue with more it shows some.
const SHOWN: usize = 10_000;

impl<T> Queue<T> {
    /// The groups of the queue, in the order of their names: how many jobs of each wait and run, and
    /// what keeps the group from a start, and for how long.
    ///
    /// A group is shown while jobs of it wait or run, while a pause or its rate still counts, and
    /// while it has a limit of its own. Delayed jobs are not counted. A call shows up to 10,000
    /// groups, and may miss a group whose jobs begin or end meanwhile.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use kv_queue::{GroupBlock, Job, Queue};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::open(&store, "fetch").await?;
    /// queue.enqueue_many([1, 2].map(|page| Job::new(page).group("example.org"))).await?;
    /// queue.pause_group("example.org", Duration::MAX).await?;
    /// let groups = queue.groups().await?;
    /// assert_eq!((&*groups[0].name, groups[0].waiting), ("example.org", 2));
    /// assert!(matches!(groups[0].block, Some(GroupBlock::Paused(_))));
    /// assert!(queue.dequeue(2).await?.is_empty());
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Those of the store.
    pub async fn groups(&self) -> Result<Vec<GroupState>> {
        self.some_groups(SHOWN).await
    }

    /// Up to `limit` of the [`groups`](Self::groups), in the order of their names, at the cost of so
    /// many in each partition at most. Of each partition, groups that only wait for the end of their
    /// time come first. For pages that show a part.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn some_groups(&self, limit: usize) -> Result<Vec<GroupState>> {
        let limit = limit.min(SHOWN);
        let partitions = &self.connection().partitions;
        let asked: Vec<_> =
            partitions.iter().map(|partition| self.groups_of(partition, limit)).collect();
        let mut found = stream::iter(asked).buffered(AT_ONCE);
        let mut groups: Vec<GroupState> = Vec::new();
        while groups.len() < limit
            && let Some(page) = found.try_next().await?
        {
            groups.extend(page);
        }
        groups.truncate(limit);
        groups.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(groups)
    }

    /// Gives a group a limit in place of the queue's [`group_limit`](crate::QueueBuilder::group_limit),
    /// or takes it away with `None`. Returns whether that changed anything.
    ///
    /// The limit counts from the next claim on, in every process. It stays until it is taken away or
    /// the queue is cleared.
    ///
    /// # Errors
    /// `InvalidKey` or `TooLarge` for a name that no group can have; `Config` for a limit out of
    /// range; those of the store.
    pub async fn limit_group(&self, group: &str, limit: Option<GroupLimit>) -> Result<bool> {
        let change = |group| Control::LimitGroup { group, limit };
        self.control_group("limit group", group, change).await
    }

    /// Pauses a group for this long, in place of a pause that was set before: its running jobs go
    /// on, and no other begins. [`Duration::MAX`] has no end. Returns whether that changed anything.
    ///
    /// # Errors
    /// `InvalidKey` or `TooLarge` for a name that no group can have; those of the store.
    pub async fn pause_group(&self, group: &str, time: Duration) -> Result<bool> {
        let change = |group| Control::PauseGroup { group, time };
        self.control_group("pause group", group, change).await
    }

    /// Ends the pause of a group, also a pause by [`Delivery::limited`](crate::Delivery::limited).
    /// Returns whether there was one.
    ///
    /// # Errors
    /// As [`pause_group`](Self::pause_group).
    pub async fn resume_group(&self, group: &str) -> Result<bool> {
        let change = |group| Control::PauseGroup { group, time: Duration::ZERO };
        self.control_group("resume group", group, change).await
    }

    async fn control_group(
        &self,
        verb: &'static str,
        group: &str,
        change: impl FnOnce(Arc<str>) -> Control,
    ) -> Result<bool> {
        let named = |error: kv_core::Error| error.operation(verb).key(group);
        check_group(group).map_err(named)?;
        let partitions = &self.connection().partitions;
        let number = partition_of(group.as_bytes(), partitions.len());
        let partition = self.connection().partition(number).map_err(named)?;
        let done = self.control(verb, partition, change(group.into())).await?;
        Ok(done.affected > 0)
    }

    async fn groups_of(&self, partition: &Partition, most: usize) -> Result<Vec<GroupState>> {
        let default = self.connection().settings.policy.group;
        let mut groups: BTreeMap<Arc<str>, GroupState> = BTreeMap::new();
        let mut after = None;
        // A page without anything new is the end: a group may have moved to where the walk began.
        loop {
            let request = Inspect::Groups { after, limit: most.clamp(1, MAX_BATCH), default };
            let Inspected::Groups(page) = self.inspect("groups", partition, request).await? else {
                return Err(unexpected());
            };
            let before = groups.len();
            after = page.last().map(|last| last.name.as_str().into());
            groups.extend(page.into_iter().map(|group| (group.name.as_str().into(), group)));
            if groups.len() == before || groups.len() >= most {
                return Ok(groups.into_values().collect());
            }
        }
    }
}
