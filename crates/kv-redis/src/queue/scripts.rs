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
    "b4f0e108b135657d855a38d153a49b736d5ca80c",
    "",
    "head.lua",
    "submit_plain.lua",
    "prelude.lua",
    "submit.lua"
);

/// Allowed while the server is full: settling makes room.
static EXCHANGE: Script = script!(
    "exchange",
    Write,
    "e608bc683b9a000bdae0cf189fcd4c4f3f73a39c",
    " flags=allow-oom",
    "head.lua",
    "exchange_plain.lua",
    "prelude.lua",
    "exchange.lua"
);

static MAINTAIN: Script = script!(
    "maintain",
    Write,
    "0e3b29aab18c0d7bf2d4f30ad012ef4bcf690c7b",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "maintain.lua"
);

static CONTROL: Script = script!(
    "control",
    Write,
    "c3737d594455646a50932e3c5d877705198a9b94",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "control.lua"
);

static INSPECT: Script = script!(
    "inspect",
    Read,
    "fea9e765a6dbd14416922038a9127d8e7f89c72e",
    " flags=no-writes,allow-oom",
    "head.lua",
    "prelude.lua",
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
    "4bf1cb1be9e55877bca57b49c890a0a18e5289ae",
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
    pub(super) maintain: &'static Script,
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
            maintain: &MAINTAIN,
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
            self.maintain,
            self.control,
            self.inspect,
            self.mark,
            self.glance,
            self.remove,
        ]
    }
}
