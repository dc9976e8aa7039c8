//! The crawl as a person runs it: the built program, a real tree, a real server, real kills.

#![cfg(test)]

mod file;
mod kills;
mod program;
mod runs;
mod tree;
