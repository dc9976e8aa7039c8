//! A test in a process of its own: it speaks, listens, stops, goes on and is killed.

#![cfg(test)]

use kv_testbed::{ChildTest, Result};

const CHILD: &str = "OC_KV_TESTBED_CHILD";

/// Not a test of its own: the process that the tests below start.
#[test]
fn child_that_repeats_what_it_is_told() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    ChildTest::say("ready", "");
    while let Some(line) = ChildTest::told() {
        ChildTest::say("heard", line);
    }
}

fn child() -> Result<ChildTest> {
    let mut child = ChildTest::start("child_that_repeats_what_it_is_told", &[(CHILD, "1")])?;
    child.hear("ready")?;
    Ok(child)
}

#[test]
fn a_child_answers_what_it_is_told_and_ends_with_its_input() -> Result<()> {
    let mut child = child()?;
    for word in ["one", "two"] {
        child.tell(word)?;
        assert_eq!(child.hear("heard")?, word);
    }
    assert!(child.ended()?);
    assert!(child.hear("heard").is_err());
    Ok(())
}

#[test]
fn a_child_that_was_stopped_goes_on() -> Result<()> {
    let mut child = child()?;
    child.pause()?;
    child.tell("one")?;
    child.resume()?;
    assert_eq!(child.hear("heard")?, "one");
    Ok(())
}
