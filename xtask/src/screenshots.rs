//! `screenshots`: pictures of the dashboard for the pages, of the programs that the pages show.

use std::fs;

use kv_testbed::Browser;

use crate::{Outcome, shell, tasks};

/// A picture beside the pages.
struct Picture {
    name: &'static str,
    /// The task whose program runs meanwhile.
    task: &'static str,
    /// What the program has printed by then.
    told: &'static str,
    /// What of the dashboard, and what it must show.
    path: &'static str,
    shows: &'static str,
    height: u32,
}

const PICTURES: &[Picture] = &[
    Picture {
        name: "queue.png",
        task: "service",
        told: "hello 1",
        path: "queue?queue=greetings",
        shows: "<svg",
        height: 740,
    },
    Picture {
        name: "dead.png",
        task: "crawler",
        told: "pages fetched",
        path: "dead?queue=pages",
        shows: "status 404",
        height: 540,
    },
];

const FOLDER: &str = "docs/pictures";
const WIDTH: u32 = 1_000;
/// A clone of the repository should stay small.
const MAX_BYTES: usize = 100_000;

pub(crate) fn run() -> Outcome {
    tasks::build_command()?;
    for picture in PICTURES {
        let path = format!("{FOLDER}/{}", picture.name);
        let bytes = picture.take().map_err(|why| format!("{path}: {why}"))?;
        println!("{path}: {} bytes", bytes.len());
        if bytes.len() > MAX_BYTES {
            return Err(format!("{path}: expected at most {MAX_BYTES} bytes"));
        }
        let to = shell::root().join(FOLDER);
        let written =
            fs::create_dir_all(&to).and_then(|()| fs::write(to.join(picture.name), bytes));
        written.map_err(|why| format!("{path}: {why}"))?;
    }
    Ok(())
}

impl Picture {
    fn take(&self) -> Result<Vec<u8>, String> {
        let mut terminal = tasks::begun(self.task)?;
        let dashboard = terminal.until(
            "export OC_KV_STORE_TYPE=sqlite OC_KV_STORE_SQLITE_PATH=tour.db\n\
             oc-kv dashboard --listen 127.0.0.1:0",
            "http://",
        )?;
        let address = dashboard.told.split_whitespace().find(|word| word.starts_with("http://"));
        let address = address.ok_or("the dashboard tells no address")?;
        let _program = terminal.until("cargo run", self.told)?;
        self.seen(&format!("{address}{}", self.path)).map_err(|why| why.to_string())
    }

    fn seen(&self, address: &str) -> kv_testbed::Result<Vec<u8>> {
        let mut browser = Browser::start()?;
        browser.go(address)?;
        browser.wait_for_text(self.shows)?;
        browser.screenshot(WIDTH, self.height)
    }
}
