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
    "6feb5ebca6237e32ec658d7d1eeb46a910816955",
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
    "21484e58a69c9b5b2034708e15743bfc8ea4484d",
    " flags=allow-oom",
    "head.lua",
    "exchange_plain.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "exchange.lua",
    "turns.lua",
    "claim.lua"
);

static MAINTAIN: Script = script!(
    "maintain",
    Write,
    "bf35f97a18f858c67e950610bca10b7ea067767a",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "maintain.lua"
);

static CONTROL: Script = script!(
    "control",
    Write,
    "5a7848ac01ddc5d142b7b7eb506c67331eab73bf",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "control.lua"
);

static INSPECT: Script = script!(
    "inspect",
    Read,
    "182107abc6a8d2f0dfa831bbde365c38bd88e664",
    " flags=no-writes,allow-oom",
    "head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
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
    "ca0a52ef6b2c6e1f8f66cf9368f0ff71a4950fe2",
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
    "77244eba2c61d328f64d98db28b4739bc94842f4",
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
    pub(super) exchange: &'static Script,
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
            exchange: &EXCHANGE,
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
    pub(crate) const fn all(&self) -> [&'static Script; 12] {
        [
            self.open,
            self.former,
            self.submit,
            self.exchange,
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
