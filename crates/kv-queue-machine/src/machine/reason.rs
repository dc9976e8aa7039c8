//! Why a job became a dead letter although no worker failed it for good.
//!
//! Such a reason is one of these texts, followed by `; last failure: ` and the last reason that a
//! worker gave, if one did.

/// No claim took the job within its time to live.
pub const EXPIRED: &str = "its time to live ended before it was claimed";

/// The job's leases ended unsettled as often as the policy allows.
pub const CRASHED: &str = "its leases ended unsettled too often";

/// In the history of a job: a lease ended before the job was settled.
pub const ENDED: &str = "its lease ended before it was settled";

/// The job was delivered as often as the policy allows.
pub const DELIVERED: &str = "it was delivered too often";

/// The job's stored record cannot be read.
pub const RECORD: &str = "its stored record cannot be read";

/// The job's body is gone from the store.
pub const BODY: &str = "its body is gone from the store";

/// The job has progress, but its checkpoint is gone from the store.
pub const CHECKPOINT: &str = "its checkpoint is gone from the store";
