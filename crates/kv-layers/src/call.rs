//! What a layer knows of a call: the operation, and what may be done with the call.

use kv_core::Command;

/// What a call does to the store, which decides what a layer may do with the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// The call changes nothing. A layer can repeat it or give it up without harm.
    Read,
    /// The call may change something. If a layer gives it up, it may have been applied.
    Write,
    /// The call waits for as long as its caller says.
    Wait,
    /// The call closes the store, however busy the store is.
    Close,
}

macro_rules! operations {
    ($($variant:ident $name:literal $access:ident)*) => {
        /// An operation of a store or of its queue engine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "each is the method of the same name")]
        pub enum Operation {
            $($variant),*
        }

        impl Operation {
            /// Every operation: those of the store, then those of the queue engine.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The method's name; for a verb of an engine, `queue_` and its name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }

            /// What the operation does. A batch is a write here; see [`Call::batch`].
            pub const fn access(self) -> Access {
                match self {
                    $(Self::$variant => Access::$access),*
                }
            }
        }
    };
}

operations! {
    Get "get" Read
    Set "set" Write
    Delete "delete" Write
    Ttl "ttl" Read
    Scan "scan" Read
    Exists "exists" Read
    GetMany "get_many" Read
    SetDurable "set_durable" Write
    SetMany "set_many" Write
    DeleteMany "delete_many" Write
    Increment "increment" Write
    Take "take" Write
    Touch "touch" Write
    Execute "execute" Write
    Now "now" Read
    Ping "ping" Read
    Stats "stats" Read
    Close "close" Close
    QueueOpen "queue_open" Write
    QueueSubmit "queue_submit" Write
    QueueSubmitDurable "queue_submit_durable" Write
    QueueExchange "queue_exchange" Write
    QueueTend "queue_tend" Write
    QueueControl "queue_control" Write
    QueueInspect "queue_inspect" Read
    QueueWait "queue_wait" Wait
    QueueRemove "queue_remove" Write
    QueueExport "queue_export" Read
    QueueImport "queue_import" Write
}

/// One call, as a [`Layer`](crate::Layer) sees it: no key, no value.
///
/// ```
/// use kv_core::Command;
/// use kv_layers::{Access, Call, Operation};
/// assert_eq!(Call::of(Operation::Set).access(), Access::Write);
/// let reads = [Command::Get { key: "a".into() }, Command::Exists { key: "b".into() }];
/// assert_eq!(Call::batch(&reads).access(), Access::Read);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    operation: Operation,
    access: Access,
}

impl Call {
    /// A call of an operation.
    pub const fn of(operation: Operation) -> Self {
        Self { operation, access: operation.access() }
    }

    /// A batch: a read if each of its commands is a read, otherwise a write.
    pub fn batch(commands: &[Command]) -> Self {
        let is_read = |command: &Command| {
            matches!(command, Command::Get { .. } | Command::Exists { .. } | Command::Ttl { .. })
        };
        let access = if commands.iter().all(is_read) { Access::Read } else { Access::Write };
        Self { operation: Operation::Execute, access }
    }

    /// The operation.
    pub const fn operation(self) -> Operation {
        self.operation
    }

    /// What may be done with the call.
    pub const fn access(self) -> Access {
        self.access
    }
}
