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
    "aa229a3791160cd7c20589a2aeb7a4dbf35d0594",
    " flags=allow-oom",
    "open.lua"
);

/// Refused while the server is full, before it writes anything.
static SUBMIT: Script = script!(
    "submit",
    Write,
    "03aad08c943a2021bc869a7a692896c69ede7801",
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
    "e719aa4c8af9b90a240de5b1bebe303e1c2b856b",
    " flags=allow-oom",
    "head.lua",
    "exchange_plain.lua",
    "prelude.lua",
    "exchange.lua"
);

static TEND: Script = script!(
    "tend",
    Write,
    "29860511b0d70eca577ca9192b69fa50a54199a1",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "tend.lua"
);

static CONTROL: Script = script!(
    "control",
    Write,
    "f8fd0560a1b87de5b63ab280584b216db9ba0993",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "control.lua"
);

static INSPECT: Script = script!(
    "inspect",
    Read,
    "7bb1472a98d5d03e1a3d83d32b3ff9e23dcace38",
    " flags=no-writes,allow-oom",
    "head.lua",
    "prelude.lua",
    "inspect.lua"
);

static MARK: Script = script!(
    "mark",
    Write,
    "33bdccea4ca7213a6c03d730c47d047a5da67335",
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
    pub(crate) const fn all(&self) -> [&'static Script; 9] {
        [
            self.open,
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
