//! What a file's code defines, imports and names.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

/// The names in one file, tests left out.
#[derive(Default)]
pub(super) struct Names {
    /// Its modules that have files of their own.
    pub(super) children: Vec<String>,
    /// What it defines at its top.
    pub(super) defined: BTreeSet<String>,
    /// By the name that it has here, the path of what `use` brings.
    pub(super) imported: BTreeMap<String, Vec<String>>,
    /// The paths of which `use` brings all names.
    pub(super) globs: Vec<Vec<String>>,
    /// The paths that it takes something by: of its private imports, and in its code.
    pub(super) paths: Vec<Vec<String>>,
}

impl Names {
    pub(super) fn of(code: &syn::File) -> Self {
        let mut names = Self::default();
        names.visit_file(code);
        names
    }

    fn import(&mut self, tree: &syn::UseTree, mut path: Vec<String>, is_own: bool) {
        match tree {
            syn::UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.import(&part.tree, path, is_own);
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.import(item, path.clone(), is_own));
            }
            syn::UseTree::Name(name) => self.bring(path, &name.ident, &name.ident, is_own),
            syn::UseTree::Rename(name) => self.bring(path, &name.ident, &name.rename, is_own),
            syn::UseTree::Glob(_) => self.globs.push(path),
        }
    }

    fn bring(&mut self, mut path: Vec<String>, name: &syn::Ident, here: &syn::Ident, own: bool) {
        if name != "self" {
            path.push(name.to_string());
        }
        let here = if here == "self" { path.last().cloned() } else { Some(here.to_string()) };
        if own {
            self.paths.push(path.clone());
        }
        self.imported.extend(here.map(|here| (here, path)));
    }

    fn define(&mut self, name: &syn::Ident) {
        self.defined.insert(name.to_string());
    }
}

impl<'a> Visit<'a> for Names {
    fn visit_item(&mut self, item: &'a syn::Item) {
        match item {
            syn::Item::Use(item) => {
                let is_own = matches!(item.vis, syn::Visibility::Inherited);
                self.import(&item.tree, Vec::new(), is_own);
            }
            syn::Item::Mod(item) if is_test(&item.attrs) => {}
            syn::Item::Mod(item) if item.content.is_none() => {
                self.children.push(item.ident.to_string());
            }
            // What stands inside has other parents, and hardly ever takes anything from elsewhere.
            syn::Item::Mod(item) => self.define(&item.ident),
            syn::Item::Struct(item) => self.define(&item.ident),
            syn::Item::Enum(item) => self.define(&item.ident),
            syn::Item::Union(item) => self.define(&item.ident),
            syn::Item::Trait(item) => self.define(&item.ident),
            syn::Item::Type(item) => self.define(&item.ident),
            syn::Item::Const(item) => self.define(&item.ident),
            syn::Item::Static(item) => self.define(&item.ident),
            syn::Item::Fn(item) => self.define(&item.sig.ident),
            syn::Item::Macro(item) => {
                if let Some(name) = &item.ident {
                    self.define(name);
                }
            }
            _ => {}
        }
        if !matches!(item, syn::Item::Mod(_)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.segments.len() > 1 && path.leading_colon.is_none() {
            self.paths.push(path.segments.iter().map(|part| part.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }
}

/// Whether an item is there in tests alone.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        is_cfg && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}
