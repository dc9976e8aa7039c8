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
    "11d0608fcf903d7262b6facec1bba89cf1b803b0",
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
    "5b48f7c3632e023ca3afdb3da7a998619639cfff",
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
    "19abffd70aba68a7d54e1cdf67a7c95f5b807fdb",
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
    "946c12dac554b9456c0738a17337a67f3fddac26",
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
    "7d1b153b690aec46fa901f53081fa54ec178cdb8",
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
    "5d54ac1409a8e7d24f3f8cb75f05f3a3f559109c",
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
    "2f436cdde7f6062f6f3343b0ebac254c289d0791",
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
    "b35aebb348bf83a526fbb8808fc450e813e1c292",
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
            exchange: &EXCHANGE,
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
    pub(crate) const fn all(&self) -> [&'static Script; 13] {
        [
            self.open,
            self.former,
            self.submit,
            self.exchange,
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
