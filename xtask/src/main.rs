//! Every check and every tool of the repository, one file a verb.
//!
//! `cargo xtask help` lists the verbs. A check prints what it found, one line a finding, and
//! exits with 1; a wrong command line exits with 2.

mod bench;
mod book;
mod ci;
mod deny;
mod deps;
mod doc;
mod features;
mod fmt;
mod folder;
mod generated;
mod help;
mod lint;
mod metadata;
mod msrv;
mod package;
mod screenshots;
mod shell;
mod soak;
mod tasks;
mod test;
mod tidy;
mod tree;

use std::process::ExitCode;

/// What a verb comes to; the error is its last line of output.
type Outcome = Result<(), String>;

/// One thing `cargo xtask` can do.
struct Verb {
    name: &'static str,
    about: &'static str,
    /// Whether `cargo xtask ci` runs it too.
    in_ci: bool,
    run: Run,
}

/// How a verb is run.
#[derive(Clone, Copy)]
enum Run {
    Alone(fn() -> Outcome),
    /// With what follows its name on the command line.
    With(fn(&[String]) -> Outcome),
}

impl Verb {
    fn run(&self, arguments: &[String]) -> Outcome {
        match self.run {
            Run::Alone(run) => run(),
            Run::With(run) => run(arguments),
        }
    }
}

const fn check(name: &'static str, about: &'static str, run: fn() -> Outcome) -> Verb {
    Verb { name, about, in_ci: true, run: Run::Alone(run) }
}

const fn tool(name: &'static str, about: &'static str, run: fn() -> Outcome) -> Verb {
    Verb { name, about, in_ci: false, run: Run::Alone(run) }
}

/// Every verb. The checks stand in the order in which `ci` runs them: cheap ones first.
const VERBS: &[Verb] = &[
    tool("help", "list the verbs", help::run),
    tool("test", "provide servers and a Python, then run every test and doctest", test::run),
    tool("ci", "run every check below, then print a table of them", ci::run),
    tool("generate", "write the generated documents", generated::generate),
    tool("screenshots", "take the pictures of the dashboard for the pages", screenshots::run),
    Verb {
        name: "bench",
        about: "store, queue, build or report: measure, or write the page of what was measured",
        in_ci: false,
        run: Run::With(bench::run),
    },
    Verb {
        name: "soak",
        about: "crawl, outage or failover: disturb for minutes, and check what is left",
        in_ci: false,
        run: Run::With(soak::run),
    },
    check("fmt", "the code is formatted", fmt::run),
    check("tidy", "the repository's own rules hold", tidy::run),
    check("msrv", "the root manifest alone names the minimum Rust version", msrv::run),
    check("deps", "dependencies point only downwards", deps::run),
    check("deny", "licences, banned crates and sources are those of deny.toml", deny::run),
    check("lint", "clippy has no warning", lint::run),
    check("doc", "the documentation builds without a warning", doc::run),
    check(
        "features",
        "each feature of each published crate compiles alone, without a warning",
        features::run,
    ),
    check("generated", "the generated documents are up to date", generated::run),
    check("package", "each published crate can be packaged", package::run),
    check("tasks", "what the pages tell newcomers to do works, from an empty folder", tasks::run),
    check("book", "the pages build as a book, and every link in it leads somewhere", book::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match choose(&arguments) {
        Ok((verb, arguments)) => match verb.run(arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("xtask {}: {why}", verb.name);
                ExitCode::from(1)
            }
        },
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::from(2)
        }
    }
}

/// The verb that the command line names, and its arguments; without one, `help`.
fn choose(arguments: &[String]) -> Result<(&'static Verb, &[String]), String> {
    let (name, rest) = match arguments {
        [] => ("help", arguments),
        [flag] if flag == "--help" || flag == "-h" => ("help", &arguments[1..]),
        [name, rest @ ..] => (name.as_str(), rest),
    };
    let verb = VERBS.iter().find(|verb| verb.name == name).ok_or_else(|| help::unknown(name))?;
    match (verb.run, rest.first()) {
        (Run::Alone(_), Some(extra)) => Err(format!("{name} takes no argument, found `{extra}`")),
        _ => Ok((verb, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &[&str]) -> Result<&'static str, String> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        choose(&arguments).map(|(verb, _)| verb.name)
    }

    #[test]
    fn a_verb_is_chosen_by_its_name_and_help_is_the_default() {
        assert_eq!(chosen(&["tidy"]), Ok("tidy"));
        assert_eq!(chosen(&[]), Ok("help"));
        assert_eq!(chosen(&["--help"]), Ok("help"));
    }

    #[test]
    fn an_unknown_verb_is_an_error_that_suggests_the_nearest() {
        let error = chosen(&["tydy"]).unwrap_err();
        assert!(error.contains("`tydy`") && error.contains("`tidy`"), "{error}");
    }

    #[test]
    fn an_extra_argument_is_an_error_that_names_it() {
        let error = chosen(&["tidy", "now"]).unwrap_err();
        assert!(error.contains("`now`"), "{error}");
    }

    #[test]
    fn a_verb_that_takes_arguments_gets_all_of_them() {
        let arguments = ["bench", "queue", "--quick"].map(str::to_owned);
        let (verb, rest) = choose(&arguments).unwrap();
        assert_eq!((verb.name, rest), ("bench", &arguments[1..]));
    }
}
