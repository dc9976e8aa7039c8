//! The blocks of a page that are steps of a task.

/// What is done with a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// It is the text of this file.
    File(String),
    /// It is typed into a shell.
    Run,
    /// It is typed into a shell, and killed once it has printed this.
    KillAfter(String),
    /// Each of its lines is in what the last command printed.
    Prints,
}

/// A marked block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) task: String,
    /// The page and the line of the mark, to be named in a failure.
    pub(super) place: String,
    pub(super) deed: Deed,
    pub(super) text: String,
}

const MARK: &str = "<!-- task: ";

/// The marked blocks of a page, in order.
pub(super) fn steps(path: &str, text: &str) -> Result<Vec<Step>, String> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let Some(mark) = line.strip_prefix(MARK) else { continue };
        let place = format!("{path}:{number}");
        let (task, deed) = mark
            .strip_suffix(" -->")
            .and_then(|mark| mark.split_once(", "))
            .and_then(|(task, deed)| Some((task.to_owned(), parse(deed)?)))
            .ok_or_else(|| {
                format!("{place}: expected `{MARK}NAME, …` with file PATH, run, kill after TEXT or prints")
            })?;
        let text = block(lines.by_ref().map(|(_, line)| line))
            .ok_or_else(|| format!("{place}: expected a fenced block in the next line"))?;
        found.push(Step { task, place, deed, text });
    }
    Ok(found)
}

fn parse(deed: &str) -> Option<Deed> {
    match deed {
        "run" => Some(Deed::Run),
        "prints" => Some(Deed::Prints),
        _ => deed.strip_prefix("file ").map(|path| Deed::File(path.to_owned())).or_else(|| {
            deed.strip_prefix("kill after ").map(|text| Deed::KillAfter(text.to_owned()))
        }),
    }
}

/// What is within the fence that begins in the first line.
fn block<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<String> {
    lines.next().filter(|line| line.starts_with("```"))?;
    let mut text = String::new();
    for line in lines {
        if line == "```" {
            return Some(text);
        }
        text.push_str(line);
        text.push('\n');
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A\n<!-- task: a, file src/main.rs -->\n```rust\nfn main() {}\n```\n\
        text\n<!-- task: b, kill after hello 5 -->\n```text\ncargo run\n```\n\
        ```text\nunmarked\n```\n<!-- task: a, prints -->\n```text\none\ntwo\n```\n";

    #[test]
    fn marked_blocks_are_steps_in_order_and_others_are_not() {
        let found = steps("p.md", PAGE).unwrap();
        let told: Vec<_> =
            found.iter().map(|step| (&*step.task, &step.deed, &*step.text)).collect();
        assert_eq!(
            told,
            [
                ("a", &Deed::File("src/main.rs".into()), "fn main() {}\n"),
                ("b", &Deed::KillAfter("hello 5".into()), "cargo run\n"),
                ("a", &Deed::Prints, "one\ntwo\n"),
            ]
        );
        assert_eq!(found[1].place, "p.md:7");
    }

    #[test]
    fn a_mark_that_says_nothing_known_is_an_error_with_its_place() {
        let error = steps("p.md", "<!-- task: a, dance -->\n```text\n```\n").unwrap_err();
        assert!(error.starts_with("p.md:1: expected"), "{error}");
        assert!(steps("p.md", "<!-- task: run -->\n```text\n```\n").is_err());
    }

    #[test]
    fn a_mark_without_a_whole_block_is_an_error() {
        assert!(steps("p.md", "<!-- task: a, run -->\n\n```text\n```\n").is_err());
        assert!(steps("p.md", "<!-- task: a, run -->\n```text\ncargo run\n").is_err());
    }
}
