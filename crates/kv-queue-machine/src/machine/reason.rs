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
