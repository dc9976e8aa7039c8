//! `book`: the pages build as a book, and every link in it leads somewhere.

mod html;
mod stage;

use std::path::Path;
use std::process::Command;

use crate::tree::Tree;
use crate::{Outcome, shell};

/// The tool that builds it, at the version that is known to work.
const VERSION: &str = "0.5.4";

pub(crate) fn run() -> Outcome {
    let top = shell::root().join("target/book");
    stage::write(&Tree::load()?, &top).map_err(|why| format!("{}: {why}", top.display()))?;
    build(&top)?;
    let html = top.join("html");
    let pages = html::Pages::read(&html).map_err(|why| format!("{}: {why}", html.display()))?;
    println!("{} pages: {}", pages.count(), html.join("index.html").display());
    shell::report(&pages.broken())
}

/// Builds the book with mdBook, which is brought under `target/` where it is missing.
fn build(top: &Path) -> Outcome {
    let program = shell::root().join("target/tools/bin/mdbook");
    if !tells_version(&program) {
        let wanted = format!("mdbook@{VERSION}");
        let line = ["install", &wanted, "--locked", "--force", "--no-default-features"];
        shell::cargo(&[line.as_slice(), &["--root", "target/tools"]].concat())?;
    }
    shell::run(Command::new(&program).arg("build").arg(top), "mdbook build")
}

fn tells_version(program: &Path) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION))
}
