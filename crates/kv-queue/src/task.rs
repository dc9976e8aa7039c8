//! Jobs of several types in one queue, told apart by name.

use kv_core::{Error, ErrorKind, Result, Serializer};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::queue::{Enqueue, Job, Queue};

/// How much of an unknown name an error shows.
const SHOWN: usize = 64;

/// A payload type of a queue of [`Tasks`].
pub trait Task: Serialize + DeserializeOwned + Send + 'static {
    /// The name that is stored with the payload. It must be unique in the queue, and must not change
    /// while jobs of the type wait.
    const NAME: &'static str;
}

/// What [`Queue::enqueue_task`] takes: a payload, or a [`Job`] of one.
pub trait IntoTask: Send {
    /// The type of the payload.
    type Payload: Task;

    /// The job.
    fn into_task(self) -> Job<Self::Payload>;
}

impl<K: Task> IntoTask for K {
    type Payload = K;

    fn into_task(self) -> Job<K> {
        Job::new(self)
    }
}

impl<K: Task> IntoTask for Job<K> {
    type Payload = K;

    fn into_task(self) -> Self {
        self
    }
}

/// Stands for the payloads of a queue that has several types: `Queue<Tasks>`.
///
/// Each job is stored as its type's name and its payload. A [`Router`](crate::Router) runs them.
///
/// ```
/// use kv_queue::{Queue, Router, Task, Tasks, Worker};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Mail {
///     to: String,
/// }
/// impl Task for Mail {
///     const NAME: &'static str = "mail";
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct Resize(u32);
/// impl Task for Resize {
///     const NAME: &'static str = "resize";
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
/// let queue = Queue::<Tasks>::open(&store, "tasks").await?;
/// queue.enqueue_task(Mail { to: "ada".to_owned() }).await?;
/// queue.enqueue_task(Resize(3)).await?;
/// let router = Router::new()
///     .on(|mail: kv_queue::Delivery<Mail>| async move { assert_eq!(mail.payload().to, "ada") })
///     .on(|resize: kv_queue::Delivery<Resize>| async move { assert_eq!(resize.payload().0, 3) });
/// let summary = Worker::new(queue).until_drained().run_router(router).await?;
/// assert_eq!(summary.done, 2);
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Tasks {}

/// A payload behind its name. A pair is the same in every format.
#[derive(Serialize)]
struct Named<K>(&'static str, K);

/// The name before a payload.
#[derive(Deserialize)]
struct Name(String, IgnoredAny);

/// The payload behind a name.
#[derive(Deserialize)]
#[serde(bound = "K: DeserializeOwned")]
struct Payload<K>(IgnoredAny, K);

impl Queue<Tasks> {
    /// Adds a job of one of the queue's types, as [`enqueue`](Queue::enqueue) does.
    ///
    /// # Errors
    /// As [`enqueue`](Queue::enqueue).
    ///
    /// # Cancel safety
    /// A dropped future may or may not have added the job.
    pub async fn enqueue_task<J: IntoTask>(&self, job: J) -> Result<Enqueue> {
        let named = job.into_task().map(|payload| Named(J::Payload::NAME, payload));
        self.with_payload::<Named<J::Payload>>().enqueue(named).await
    }
}

/// The name of a stored task.
pub(crate) fn name(serializer: &Serializer, body: &[u8]) -> Result<String> {
    Ok(serializer.decode::<Name>(body)?.0)
}

/// The payload of a stored task of this type.
pub(crate) fn payload<K: Task>(serializer: &Serializer, body: &[u8]) -> Result<K> {
    Ok(serializer.decode::<Payload<K>>(body)?.1)
}

/// No handler is known for a task.
pub(crate) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let known: Vec<_> = known.map(|name| format!("`{}`", name.escape_debug())).collect();
    let name: String = name.chars().take(SHOWN).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let message = format!("no handler for the task `{}`; known are: {known}", name.escape_debug());
    Error::new(ErrorKind::Serialization, message)
}
