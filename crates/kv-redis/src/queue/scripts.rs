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
    "5b05883fe8fda909d2fc36aac8ebc5f9da2bedb2",
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
    "66475d84301beb2ae30d6f043d9990339284bf12",
    " flags=allow-oom",
    "head.lua",
    "exchange_plain.lua",
    "prelude.lua",
    "exchange.lua"
);

static TEND: Script = script!(
    "tend",
    Write,
    "bb6b7cb75f9e5178368bada8614f5fc16946bcf9",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "tend.lua"
);

static CONTROL: Script = script!(
    "control",
    Write,
    "717d5e25734b7dc2ee6e8aa982d3889f0499698f",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "control.lua"
);

static INSPECT: Script = script!(
    "inspect",
    Read,
    "9a31cf3e9594d1cc7c97c109d6b8d38820741f9e",
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

static EXPORT: Script = script!(
    "export",
    Read,
    "b3ce5ba525ddccfb7e36c31c64a76ac2ef797412",
    " flags=no-writes,allow-oom",
    "head.lua",
    "prelude.lua",
    "export.lua"
);

/// Refused while the server is full, before it writes anything.
static IMPORT: Script = script!(
    "import",
    Write,
    "553cd5176b0905f5e84e9a55aeb7608b0c865f2f",
    "",
    "head.lua",
    "prelude.lua",
    "import.lua"
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
            tend: &TEND,
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
            self.tend,
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
