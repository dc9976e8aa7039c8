//! No files of a crate import each other in a circle: whoever reads one need not have read the
//! other before.
//!
//! A file points to another if it takes a name from it: by `use`, or by a path in its code. A name
//! that is handed on by `pub use` counts for the file that defines it, and a `mod` line or a path
//! that ends in a module does not count. A module and those inside of it are read together: what
//! they take from each other does not count either.

mod modules;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::Tree;
use modules::Modules;

/// By file, the files that it points to, each with a name that it takes.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

pub(super) fn no_files_import_each_other(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (root, _) in tree.files().filter(|(path, _)| is_root(path)) {
        match Modules::read(tree, root) {
            Ok(modules) => found.extend(circles(&arrows(&modules))),
            Err(why) => found.push(why),
        }
    }
    found
}

fn is_root(path: &str) -> bool {
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs")
}

/// Whether one of two modules is inside of the other: `foo.rs` and `foo/bar.rs`, or a crate's root.
fn are_of_one_room(one: &str, other: &str) -> bool {
    let folder = |file: &str| match is_root(file) {
        true => file.rsplit_once('/').map(|(folder, _)| format!("{folder}/")),
        false => file.strip_suffix(".rs").map(|module| format!("{module}/")),
    };
    let is_inside = |file: &str, of: &str| folder(of).is_some_and(|room| file.starts_with(&room));
    is_inside(one, other) || is_inside(other, one)
}

fn arrows(modules: &Modules) -> Arrows {
    let mut arrows = Arrows::new();
    for (at, module) in modules.all() {
        for path in &module.paths {
            let Some((other, name)) = modules.definition(at, path) else { continue };
            if other != module.file && !are_of_one_room(&other, &module.file) {
                let own = arrows.entry(module.file.clone()).or_default();
                own.entry(other).or_insert(name);
            }
        }
    }
    arrows
}

/// Each circle as a line: the files on it, and what ties them.
fn circles(arrows: &Arrows) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for file in arrows.keys() {
        if seen.contains(file) {
            continue;
        }
        let ahead = reachable(arrows, file);
        let circle: BTreeSet<&String> =
            ahead.iter().filter(|other| reachable(arrows, other).contains(file)).copied().collect();
        if circle.is_empty() {
            continue;
        }
        seen.extend(circle.iter().copied());
        let mut ties = Vec::new();
        for from in &circle {
            let to = arrows.get(*from).into_iter().flatten();
            ties.extend(
                to.filter(|(to, _)| circle.contains(to))
                    .map(|(to, name)| format!("{} takes {name} from {}", short(from), short(to))),
            );
        }
        found.push(format!("{file}: files import each other: {}", ties.join("; ")));
    }
    found
}

/// The files that can be reached along one arrow or more.
fn reachable<'a>(arrows: &'a Arrows, from: &str) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = vec![from];
    while let Some(file) = next.pop() {
        for other in arrows.get(file).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(other) {
                next.push(other);
            }
        }
    }
    found
}

fn short(path: &str) -> &str {
    path.split_once("/src/").map_or(path, |(_, inside)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let paths: Vec<(String, &str)> =
            files.iter().map(|(path, text)| (format!("crates/a/src/{path}"), *text)).collect();
        let files: Vec<(&str, &str)> = paths.iter().map(|(path, text)| (&**path, *text)).collect();
        no_files_import_each_other(&Tree::of(&files))
    }

    #[test]
    fn two_files_that_import_each_other_are_found_with_what_ties_them() {
        let found = found(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::Two; pub struct One(Two);"),
            ("b.rs", "pub struct Two; fn f() -> super::a::One { todo!() }"),
        ]);
        let expected = "crates/a/src/a.rs: files import each other: \
                        a.rs takes Two from b.rs; b.rs takes One from a.rs";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_circle_of_three_is_found_through_names_that_are_handed_on() {
        let found = found(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod c; mod d; pub use c::Three;"),
            ("a/c.rs", "pub struct Three; use super::d::four;"),
            ("a/d.rs", "use crate::b::two; pub fn four() { two() }"),
            ("b.rs", "use crate::a::Three; pub fn two() {}"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("b.rs takes Three from a/c.rs"), "{found:?}");
    }

    #[test]
    fn a_module_and_those_inside_of_it_are_on_no_circle() {
        let none = found(&[
            ("lib.rs", "mod a; use a::One; pub type Outcome = ();"),
            ("a.rs", "mod b; use b::Two; pub struct One(Two);"),
            ("a/b.rs", "use super::One; pub struct Two; impl One {} fn f() -> crate::Outcome {}"),
        ]);
        assert_eq!(none, [""; 0]);
    }

    #[test]
    fn tests_and_other_crates_do_not_count() {
        let none = found(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use std::fmt; pub fn one() {} #[cfg(test)] mod tests { use crate::b::two; }"),
            ("b.rs", "use crate::a::one; pub fn two() { one() }"),
        ]);
        assert_eq!(none, [""; 0]);
    }

    #[test]
    fn code_that_cannot_be_read_is_told() {
        let found = found(&[("lib.rs", "mod a;"), ("a.rs", "fn {")]);
        assert!(found[0].starts_with("crates/a/src/a.rs: cannot be read"), "{found:?}");
    }
}
