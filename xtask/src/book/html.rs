//! The links and anchors of pages of HTML.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::tidy::links::target;

/// Every file of a folder; the text of those that are pages.
#[derive(Debug, Default)]
pub(super) struct Pages {
    files: BTreeSet<String>,
    pages: BTreeMap<String, String>,
}

impl Pages {
    pub(super) fn read(folder: &Path) -> std::io::Result<Pages> {
        let mut pages = Pages::default();
        pages.read_folder(folder, "")?;
        Ok(pages)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                self.read_folder(&entry.path(), &format!("{path}/"))?;
                continue;
            }
            if path.ends_with(".html") {
                self.pages.insert(path.clone(), fs::read_to_string(entry.path())?);
            }
            self.files.insert(path);
        }
        Ok(())
    }

    pub(super) fn count(&self) -> usize {
        self.pages.len()
    }

    /// A line for each link that leads nowhere.
    pub(super) fn broken(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (path, text) in &self.pages {
            let links: BTreeSet<&str> = ["href=\"", "src=\""]
                .iter()
                .flat_map(|name| values(text, name))
                .filter(|link| !link.contains(':') && !link.is_empty())
                .collect();
            let broken = links.into_iter().filter(|link| !self.leads_somewhere(path, link));
            found.extend(broken.map(|link| format!("{path}: `{link}` leads nowhere")));
        }
        found
    }

    fn leads_somewhere(&self, page: &str, link: &str) -> bool {
        let Some(target) = self.file(page, link) else { return false };
        let Some((_, anchor)) = link.split_once('#').filter(|(_, anchor)| !anchor.is_empty())
        else {
            return true;
        };
        let is_there = |text: &String| values(text, "id=\"").any(|id| id == anchor);
        self.pages.get(&target).is_some_and(is_there)
    }

    /// The file that a link of a page means, if it is there. None leads from the top of the site, which
    /// the book does not know.
    fn file(&self, page: &str, link: &str) -> Option<String> {
        let path = target(page, link).filter(|_| !link.starts_with('/'))?;
        let index = format!("{path}/index.html");
        [path, index].into_iter().find(|path| self.files.contains(path))
    }
}

/// The values of an attribute.
fn values<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(name).skip(1).filter_map(|rest| rest.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(link: &str) -> Vec<String> {
        let text = format!("<h1 id=\"top\">a</h1><a href=\"{link}\">b</a>");
        let other = "<h2 id=\"part\">c</h2>".to_owned();
        let pages = [("d/a.html".to_owned(), text), ("b/index.html".to_owned(), other)];
        let files = pages.iter().map(|(path, _)| path.clone()).chain(["x.json".to_owned()]);
        let (files, pages) = (files.collect(), BTreeMap::from(pages));
        Pages { files, pages }.broken()
    }

    #[test]
    fn pages_folders_files_anchors_and_other_sites_are_fine() {
        for link in
            ["#top", "../b/index.html#part", "../b/", "../b", "../x.json", "https://a.test/"]
        {
            assert_eq!(broken(link), [""; 0], "{link}");
        }
    }

    #[test]
    fn a_page_or_an_anchor_that_is_not_there_is_found() {
        for link in ["#bottom", "c.html", "../b/index.html#whole", "../../x.json", "../x.json#a"] {
            assert_eq!(broken(link), [format!("d/a.html: `{link}` leads nowhere")]);
        }
    }
}
