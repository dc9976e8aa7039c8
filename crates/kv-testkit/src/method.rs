//! The methods of the contract, as names.

/// One method of [`KeyValueStore`](kv_core::KeyValueStore).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum Method {
    Get,
    Set,
    Delete,
    Ttl,
    Scan,
    Capabilities,
    KeyPrefix,
    GetNow,
    Exists,
    GetMany,
    SetDurable,
    SetMany,
    DeleteMany,
    Increment,
    Take,
    Touch,
    Execute,
    Now,
    Watch,
    Ping,
    Stats,
    Close,
    QueueEngine,
}

impl Method {
    /// Every method, in the order of the trait.
    pub const ALL: [Self; 23] = [
        Self::Get,
        Self::Set,
        Self::Delete,
        Self::Ttl,
        Self::Scan,
        Self::Capabilities,
        Self::KeyPrefix,
        Self::GetNow,
        Self::Exists,
        Self::GetMany,
        Self::SetDurable,
        Self::SetMany,
        Self::DeleteMany,
        Self::Increment,
        Self::Take,
        Self::Touch,
        Self::Execute,
        Self::Now,
        Self::Watch,
        Self::Ping,
        Self::Stats,
        Self::Close,
        Self::QueueEngine,
    ];

    /// The method's name in the trait.
    ///
    /// ```
    /// assert_eq!(kv_testkit::Method::GetMany.name(), "get_many");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Ttl => "ttl",
            Self::Scan => "scan",
            Self::Capabilities => "capabilities",
            Self::KeyPrefix => "key_prefix",
            Self::GetNow => "get_now",
            Self::Exists => "exists",
            Self::GetMany => "get_many",
            Self::SetDurable => "set_durable",
            Self::SetMany => "set_many",
            Self::DeleteMany => "delete_many",
            Self::Increment => "increment",
            Self::Take => "take",
            Self::Touch => "touch",
            Self::Execute => "execute",
            Self::Now => "now",
            Self::Watch => "watch",
            Self::Ping => "ping",
            Self::Stats => "stats",
            Self::Close => "close",
            Self::QueueEngine => "queue_engine",
        }
    }

    /// Whether the method may change what is stored.
    pub const fn writes(self) -> bool {
        matches!(
            self,
            Self::Set
                | Self::Delete
                | Self::SetDurable
                | Self::SetMany
                | Self::DeleteMany
                | Self::Increment
                | Self::Take
                | Self::Touch
                | Self::Execute
        )
    }
}
