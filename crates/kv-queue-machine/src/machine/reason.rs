//! Why a job died that no worker failed for good.
//!
//! Such a reason is one of these texts, followed by `; last failure: ` and the last reason that a
//! worker gave, if one did.

/// It was not claimed for the first time within its time to live.
pub const EXPIRED: &str = "its time to live ended before it was claimed";

/// Its leases ended unsettled as often as the policy allows.
pub const CRASHED: &str = "its leases ended unsettled too often";

/// It was delivered as often as the policy allows.
pub const DELIVERED: &str = "it was delivered too often";

/// What is stored of it beside its body cannot be read.
pub const RECORD: &str = "its stored record cannot be read";

/// Its body is gone from the store.
pub const BODY: &str = "its body is gone from the store";

/// It has progress, but the checkpoint is gone from the store.
pub const CHECKPOINT: &str = "its checkpoint is gone from the store";
