//! The modules of a crate, each a file, and which of them defines a name.

use std::collections::BTreeMap;

use super::names::Names;
use crate::tree::Tree;

/// Re-exports that hand a name on more often than this are taken for endless.
const MOST_STEPS: usize = 16;

/// A crate's modules by their paths: `["queue", "job"]`.
pub(super) struct Modules {
    modules: BTreeMap<Vec<String>, Module>,
}

/// A module that has a file.
pub(super) struct Module {
    pub(super) file: String,
    /// What it takes from others: paths as they are written.
    pub(super) paths: Vec<Vec<String>>,
    names: Names,
}

impl Modules {
    /// Reads a crate from its first file on.
    ///
    /// # Errors
    /// A file that is no Rust.
    pub(super) fn read(tree: &Tree, root: &str) -> Result<Self, String> {
        let mut modules = Self { modules: BTreeMap::new() };
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
        modules.add(tree, root, folder, Vec::new())?;
        Ok(modules)
    }

    fn add(
        &mut self,
        tree: &Tree,
        file: &str,
        folder: &str,
        at: Vec<String>,
    ) -> Result<(), String> {
        let code = syn::parse_file(tree.get(file).unwrap_or_default());
        let code = code.map_err(|why| format!("{file}: cannot be read as Rust: {why}"))?;
        let mut names = Names::of(&code);
        let paths = std::mem::take(&mut names.paths);
        for child in names.children.clone() {
            let path = format!("{folder}/{child}.rs");
            if tree.get(&path).is_some() {
                let at = [at.clone(), vec![child.clone()]].concat();
                self.add(tree, &path, &format!("{folder}/{child}"), at)?;
            }
        }
        self.modules.insert(at, Module { file: file.to_owned(), paths, names });
        Ok(())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&[String], &Module)> {
        self.modules.iter().map(|(at, module)| (at.as_slice(), module))
    }

    /// The file that defines what a path of this module ends in, and the name; nothing for a
    /// module, and for what is not of this crate.
    pub(super) fn definition(&self, at: &[String], path: &[String]) -> Option<(String, String)> {
        self.follow(at, path, MOST_STEPS)
    }

    fn follow(&self, at: &[String], path: &[String], steps: usize) -> Option<(String, String)> {
        let (first, rest) = path.split_first()?;
        let steps = steps.checked_sub(1)?;
        match first.as_str() {
            "crate" => self.inside(&[], rest, steps),
            "self" => self.inside(at, rest, steps),
            "super" => self.inside(at.split_last()?.1, rest, steps),
            _ => self.named(at, first, rest, steps),
        }
    }

    /// What a path names that begins inside of a module.
    fn inside(&self, at: &[String], path: &[String], steps: usize) -> Option<(String, String)> {
        let (first, rest) = path.split_first()?;
        if first == "super" {
            return self.inside(at.split_last()?.1, rest, steps);
        }
        let named = self.named(at, first, rest, steps);
        // What is not seen, such as what a macro makes, counts for the module.
        named
            .or_else(|| Some((self.modules.get(at)?.file.clone(), first.clone())))
            .filter(|_| !(rest.is_empty() && self.is_module(at, first)))
    }

    /// What a name of a module stands for, and what follows it.
    fn named(
        &self,
        at: &[String],
        name: &String,
        rest: &[String],
        steps: usize,
    ) -> Option<(String, String)> {
        let module = self.modules.get(at)?;
        if self.is_module(at, name) {
            return self.inside(&[at, std::slice::from_ref(name)].concat(), rest, steps);
        }
        if module.names.defined.contains(name) {
            return Some((module.file.clone(), name.clone()));
        }
        if let Some(target) = module.names.imported.get(name) {
            return self.follow(at, &[target.as_slice(), rest].concat(), steps);
        }
        let globs = module.names.globs.iter();
        globs
            .map(|glob| [glob.as_slice(), std::slice::from_ref(name), rest].concat())
            .find_map(|path| self.follow(at, &path, steps))
    }

    fn is_module(&self, at: &[String], name: &String) -> bool {
        self.modules.contains_key(&[at, std::slice::from_ref(name)].concat())
    }
}
