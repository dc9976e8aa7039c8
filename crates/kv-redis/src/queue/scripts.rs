//! The scripts of the queue's verbs, each put together of the parts that it needs.

use crate::driver::Access;
use crate::scripts::Script;

/// A script of parts, which follow the line that says what it may do.
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

/// Allowed while the server is full: who settles has to open first.
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
    "15e6887ce4405940b192d66808f0715cded8690a",
    "",
    "head.lua",
    "submit_plain.lua",
    "prelude.lua",
    "submit.lua"
);

/// Allowed while the server is full: settling is what makes room.
static EXCHANGE: Script = script!(
    "exchange",
    Write,
    "1610974b5b839b90c59d4f8832a4f8710e435dad",
    " flags=allow-oom",
    "head.lua",
    "exchange_plain.lua",
    "prelude.lua",
    "exchange.lua"
);

static TEND: Script = script!(
    "tend",
    Write,
    "992a228299cb1936d0c6ad08d70fa02d2f37f3dd",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "tend.lua"
);

static CONTROL: Script = script!(
    "control",
    Write,
    "97c17da19a9be553ceaf9c1cdd5748f77022d143",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "control.lua"
);

static INSPECT: Script = script!(
    "inspect",
    Read,
    "6db05e40dea4474b4d259d9086a174d7885b7ed5",
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
        }
    }

    #[cfg(test)]
    pub(crate) const fn all(&self) -> [&'static Script; 8] {
        [
            self.open,
            self.submit,
            self.exchange,
            self.tend,
            self.control,
            self.inspect,
            self.mark,
            self.glance,
        ]
    }
}
