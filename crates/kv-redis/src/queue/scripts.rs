//! The scripts of the queue's verbs, each assembled from the parts that it needs.

use crate::driver::Access;
use crate::scripts::Script;

/// A script of these parts, after the line with its flags.
macro_rules! script {
    ($name:literal, $access:ident, $sha1:literal, $flags:literal, $($part:literal),+) => {
        Script {
            name: $name,
            source: concat!("#!lua", $flags, "\n", $(include_str!($part)),+),
            sha1: $sha1,
            access: Access::$access,
        }
    };
}

/// Allowed while the server is full: a process must open the queue before it can settle.
static OPEN: Script = script!(
    "open",
    Write,
    "44449cae097e546c92c47d0463ca030fe548d8cd",
    " flags=allow-oom",
    "open.lua"
);

static FORMER: Script = script!(
    "former",
    Read,
    "fa356224ef03233e1131d4f729a2b53715b13ae9",
    " flags=no-writes",
    "former.lua"
);

/// Refused while the server is full, before it writes anything.
static SUBMIT: Script = script!(
    "submit",
    Write,
    "cae0798ebf6b7d423e370f982271783629c21043",
    "",
    "head.lua",
    "submit_plain.lua",
    "prelude.lua",
    "no_groups.lua",
    "jobs.lua",
    "submit.lua"
);

/// The same where a job has a group.
static SUBMIT_GROUPED: Script = script!(
    "submit_grouped",
    Write,
    "3963921f1e94bdb1d5cd51588449c787a0c9228a",
    "",
    "head.lua",
    "submit_plain.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "submit.lua"
);

/// Allowed while the server is full: settling makes room.
static EXCHANGE: Script = script!(
    "exchange",
    Write,
    "458b34273c2adbf13d8e998f876fc3cf34ce8989",
    " flags=allow-oom",
    "head.lua",
    "exchange_head.lua",
    "exchange_plain.lua",
    "prelude.lua",
    "no_groups.lua",
    "jobs.lua",
    "past.lua",
    "exchange.lua",
    "claim.lua"
);

/// The same where the partition has groups.
static EXCHANGE_GROUPED: Script = script!(
    "exchange_grouped",
    Write,
    "7c8ebf06cb63dd9b17e1b2700d80783729f1ba2d",
    " flags=allow-oom",
    "head.lua",
    "exchange_head.lua",
    "exchange_plain.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "past.lua",
    "exchange.lua",
    "turns.lua",
    "claim.lua"
);

/// The same where done jobs are kept, which is no plain case.
static EXCHANGE_KEEPING: Script = script!(
    "exchange_keeping",
    Write,
    "fb0963f7ef40cc0573b8acb7b6c2a8396f604b6a",
    " flags=allow-oom",
    "head.lua",
    "exchange_head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "past.lua",
    "done.lua",
    "exchange.lua",
    "turns.lua",
    "claim.lua"
);

static MAINTAIN: Script = script!(
    "maintain",
    Write,
    "fea0bfd7ee892e924eb9f8876ccfb08838789bc7",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "past.lua",
    "done.lua",
    "maintain.lua"
);

static CONTROL: Script = script!(
    "control",
    Write,
    "a6912ff4171a6482379ce67f447788705a96f678",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "past.lua",
    "done.lua",
    "control.lua"
);

static INSPECT: Script = script!(
    "inspect",
    Read,
    "9dcaa63dabe3fe2b8e918298c72e868c100116f2",
    " flags=no-writes,allow-oom",
    "head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "past.lua",
    "look.lua",
    "inspect.lua"
);

static MARK: Script = script!(
    "mark",
    Write,
    "48a83fb21664ae167e42144b41a9723f59e8c3be",
    " flags=allow-oom",
    "mark.lua"
);

static GLANCE: Script = script!(
    "glance",
    Read,
    "e537a7af4c7e55c2f3e267ff68366cbfee7c13f2",
    " flags=no-writes,allow-oom",
    "glance.lua"
);

static REMOVE: Script = script!(
    "remove",
    Write,
    "68dadce27c3710c16d9600ac43b7e0aedea8783e",
    " flags=allow-oom",
    "remove.lua"
);

static EXPORT: Script = script!(
    "export",
    Read,
    "faee6aa02c921a226339e7eef283cdc1fe4a28a1",
    " flags=no-writes,allow-oom",
    "head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "export.lua"
);

/// Refused while the server is full, before it writes anything.
static IMPORT: Script = script!(
    "import",
    Write,
    "2f0379b682ed69343d380400e56656927fbb3d79",
    "",
    "head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "import.lua"
);

/// One script a verb.
#[derive(Clone, Copy)]
pub(crate) struct Scripts {
    pub(super) open: &'static Script,
    pub(super) former: &'static Script,
    pub(super) submit: &'static Script,
    pub(super) submit_grouped: &'static Script,
    pub(super) exchange: &'static Script,
    pub(super) exchange_grouped: &'static Script,
    pub(super) exchange_keeping: &'static Script,
    pub(super) maintain: &'static Script,
    pub(super) control: &'static Script,
    pub(super) inspect: &'static Script,
    pub(super) mark: &'static Script,
    pub(super) glance: &'static Script,
    pub(super) remove: &'static Script,
    pub(super) export: &'static Script,
    pub(super) import: &'static Script,
}

impl Scripts {
    pub(crate) const fn new() -> Self {
        Self {
            open: &OPEN,
            former: &FORMER,
            submit: &SUBMIT,
            submit_grouped: &SUBMIT_GROUPED,
            exchange: &EXCHANGE,
            exchange_grouped: &EXCHANGE_GROUPED,
            exchange_keeping: &EXCHANGE_KEEPING,
            maintain: &MAINTAIN,
            control: &CONTROL,
            inspect: &INSPECT,
            mark: &MARK,
            glance: &GLANCE,
            remove: &REMOVE,
            export: &EXPORT,
            import: &IMPORT,
        }
    }

    #[cfg(test)]
    pub(crate) const fn all(&self) -> [&'static Script; 15] {
        [
            self.open,
            self.former,
            self.submit,
            self.submit_grouped,
            self.exchange,
            self.exchange_grouped,
            self.exchange_keeping,
            self.maintain,
            self.control,
            self.inspect,
            self.mark,
            self.glance,
            self.remove,
            self.export,
            self.import,
        ]
    }
}
