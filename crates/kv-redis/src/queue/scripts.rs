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
    "e6503a2d8a6397311b2c029174e705f82c7cf144",
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
    "fc4ac64bffb17966aa92463aee433dbdb9fe8daf",
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

static TEND: Script = script!(
    "tend",
    Write,
    "1e6c3d8a75952236f760cf15b61540b06bde0fb6",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "tend.lua"
);

static CONTROL: Script = script!(
    "control",
    Write,
    "984e58cc7c9b9935a7b5ff42b7daff91a2353812",
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
    "9bd485b4852907124dfcd62625975cec29c89ed6",
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

/// One script a verb.
#[derive(Clone, Copy)]
pub(crate) struct Scripts {
    pub(super) open: &'static Script,
    pub(super) former: &'static Script,
    pub(super) submit: &'static Script,
    pub(super) exchange: &'static Script,
    pub(super) tend: &'static Script,
    pub(super) control: &'static Script,
    pub(super) inspect: &'static Script,
    pub(super) mark: &'static Script,
    pub(super) glance: &'static Script,
    pub(super) remove: &'static Script,
}

impl Scripts {
    pub(crate) const fn new() -> Self {
        Self {
            open: &OPEN,
            former: &FORMER,
            submit: &SUBMIT,
            exchange: &EXCHANGE,
            tend: &TEND,
            control: &CONTROL,
            inspect: &INSPECT,
            mark: &MARK,
            glance: &GLANCE,
            remove: &REMOVE,
        }
    }

    #[cfg(test)]
    pub(crate) const fn all(&self) -> [&'static Script; 10] {
        [
            self.open,
            self.former,
            self.submit,
            self.exchange,
            self.tend,
            self.control,
            self.inspect,
            self.mark,
            self.glance,
            self.remove,
        ]
    }
}
