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
    "2cf761e1ae480881effef80ed417f7ccacdb20d1",
    "",
    "head.lua",
    "submit_plain.lua",
    "prelude.lua",
    "no_groups.lua",
    "jobs.lua",
    "marks.lua",
    "submit.lua"
);

/// The same where a job has a group.
static SUBMIT_GROUPED: Script = script!(
    "submit_grouped",
    Write,
    "5a1670b15686c0ba805e7f6d296efd4f2c120911",
    "",
    "head.lua",
    "submit_plain.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "marks.lua",
    "submit.lua"
);

/// Allowed while the server is full: settling makes room.
static EXCHANGE: Script = script!(
    "exchange",
    Write,
    "5b423368934340aeb7610977cb082b1557e5a489",
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
    "f417cbdad49764e7d795b7995479b061518f0c82",
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
    "c90e52d899f35de36f33345c62166d72c268714d",
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
    "d272cc4c7900adc4c84c7c80442a481a1bf949a3",
    " flags=allow-oom",
    "head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "past.lua",
    "done.lua",
    "marks.lua",
    "maintain.lua"
);

static CONTROL: Script = script!(
    "control",
    Write,
    "394292964633e8740a67a4ebb168eb51f882b1fc",
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
    "2e57605924f470e17f76e2e3da1dcec2023729b5",
    " flags=no-writes,allow-oom",
    "head.lua",
    "prelude.lua",
    "groups.lua",
    "jobs.lua",
    "past.lua",
    "marks.lua",
    "age.lua",
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
    "08267d44a789d262958f5dae7c3fb84a149179ec",
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
    "98822082676c033de4661177954a53772d1753ae",
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
