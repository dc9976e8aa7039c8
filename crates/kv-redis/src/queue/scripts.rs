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

static OPEN: Script =
    script!("open", Write, "5055dff1210d65ec309c82b5867398f0075c9bee", "", "open.lua");

/// Refused while the server is full, before it writes anything.
static SUBMIT: Script = script!(
    "submit",
    Write,
    "3912db5cc6f6f085b1c5917d2f0897e6efb7d8a8",
    "",
    "head.lua",
    "prelude.lua",
    "submit.lua"
);

/// Allowed while the server is full: settling is what makes room.
static EXCHANGE: Script = script!(
    "exchange",
    Write,
    "1fd7a4195fda7123a3e1837bd14e22109f9390d5",
    " flags=allow-oom",
    "head.lua",
    "exchange_plain.lua",
    "prelude.lua",
    "exchange.lua"
);

static TEND: Script = script!(
    "tend",
    Write,
    "8d5b355ce8c26303346e601b9cbef3f39e449114",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "tend.lua"
);

static CONTROL: Script = script!(
    "control",
    Write,
    "f3771e7fc4bf3b6788e50a0d7eafcf4a5ea590ec",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "control.lua"
);

static INSPECT: Script = script!(
    "inspect",
    Read,
    "fa87e2919c2db71ac3edf078d8ba34c7f79e2d51",
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
        }
    }

    #[cfg(test)]
    pub(crate) const fn all(&self) -> [&'static Script; 7] {
        [self.open, self.submit, self.exchange, self.tend, self.control, self.inspect, self.mark]
    }
}
