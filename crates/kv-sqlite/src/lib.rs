//! The backend on one SQLite file: durable with nothing installed, shared by processes.
//!
//! [`SqliteStore`] keeps bytes under string keys, and queues, in one file in WAL mode that any
//! tool for SQLite can open.
//!
//! - **One committing thread.** All writes of a store go through one thread. It takes what has
//!   gathered, runs it in one transaction, and answers after the commit. A step that fails harms
//!   itself only.
//! - **Reads beside it.** Reads run on connections and threads of their own. They never wait for a
//!   writer, and see all that this store has answered.
//! - **Many processes.** A fair turn between the writers of all processes, on two lock files
//!   beside the file, keeps a busy one from starving the others.
//! - **No runtime.** Futures work on any executor; no call blocks the thread that polls.
//!
//! # What is safe when
//! A write that was answered survives the death of the process, also by SIGKILL. With
//! [`SqliteSync::Full`], or with [`Durability::disk`](kv_core::Durability::disk) on the call, it
//! is on the disk, and survives a power cut. With [`SqliteSync::Normal`], the default, a power cut
//! may cost the last moments: the file is then in a whole earlier state.
//!
//! # Time
//! Lifetimes and leases count by the machine's date, which all processes share. The store's time
//! never goes back: where the date is set back, it goes on from the latest time that was seen, at
//! the pace of the monotonic clock, and joins the date when that has caught up. The file holds the
//! latest time, to a quarter of a second, for the next process.
//!
//! # Where it ends
//! The file must be on a local file system: over a network (NFS, SMB) neither locks nor shared
//! memory can be trusted, and opening one is refused where it is recognised. A store does not
//! survive a `fork`: in the child, every call is an error, and the parent goes on. Values and job
//! bodies have at most [`MAX_VALUE_BYTES`] bytes.

mod builder;
mod call;
mod committer;
mod error;
mod file;
mod inbox;
mod large;
mod log;
mod pool;
mod queue;
mod scan;
mod spin;
mod store;
mod sweep;
mod time;
mod turn;
mod verbs;
mod watch;
mod workers;

pub use builder::SqliteStoreBuilder;
pub use file::SqliteSync;
pub use store::SqliteStore;
pub use verbs::MAX_VALUE_BYTES;
