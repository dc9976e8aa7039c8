//! Completions for a shell, and the manual page.

use std::io::stdout;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::{Failure, Result};

pub(crate) fn completions(shell: Shell) -> Result<()> {
    clap_complete::generate(shell, &mut Arguments::command(), "oc-kv", &mut stdout());
    Ok(())
}

pub(crate) fn man() -> Result<()> {
    let page = clap_mangen::Man::new(Arguments::command()).render(&mut stdout());
    page.map_err(|error| Failure::Failed(format!("the manual page cannot be written: {error}")))
}
