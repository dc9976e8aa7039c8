//! The polite crawler as a person runs it: the built program, a site of many hosts, real kills.

#![cfg(test)]

mod run;
mod site;
