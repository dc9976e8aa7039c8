//! Python itself as the oracle: random values of either language, pickled by one and read by the
//! other. `oracle/oracle.py` is Python's side.

use std::io::Write;
use std::process::{Command, Stdio};

use fastrand::Rng;

use crate::any::{Any, any};
use crate::{cases, describe, random, seed, short_goldens, written};

/// Runs `oracle.py` over the input to its end; what it prints.
fn python(arguments: &[&str], input: String) -> String {
    let python = kv_testbed::python().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/oracle.py");
    let mut command: Command = python.command();
    command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "oracle.py {arguments:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn random_values_that_python_pickles_are_read_as_those_values_or_refused_where_they_are_no_data() {
    let (seed, cases) = (seed(), cases(12_000));
    let printed = python(&["write", &seed.to_string(), &cases.to_string()], String::new());
    let (mut read, mut refused) = (0, 0);
    for line in printed.lines() {
        let [protocol, text, value] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("three columns: {line}");
        };
        match (describe(text.as_bytes()), value) {
            (Err(_), "refused") => refused += 1,
            (Ok(found), _) if found == value => read += 1,
            (found, _) => panic!("protocol {protocol}: {text}\n{found:?}\nand not {value}"),
        }
    }
    println!("{read} read, {refused} refused");
    assert_eq!(read + refused, cases);
    assert!(read > cases / 2 && refused > cases / 100);
}

#[test]
fn random_values_that_are_written_are_those_values_in_python_and_come_back_from_it() {
    let (seed, cases) = (seed(), cases(10_000));
    let rng = &mut Rng::with_seed(seed);
    let values: Vec<Any> = (0..cases).map(|_| any(rng, 4)).collect();
    let encode = |value: &Any| String::from_utf8(written(value)).unwrap() + "\n";
    let printed = python(&["read", &seed.to_string()], values.iter().map(encode).collect());
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), values.len());
    for (value, line) in values.iter().zip(lines) {
        let (found, again) = line.split_once('\t').unwrap();
        assert_eq!(found, value.text("()"), "{value:?}");
        assert_eq!(describe(again.as_bytes()).unwrap(), value.text("[]"), "{value:?}: {again}");
    }
}

#[test]
fn what_is_read_of_changed_pickles_is_what_python_reads_of_them() {
    let (seed, cases) = (seed(), cases(10_000));
    let (rng, pickles) = (&mut Rng::with_seed(seed), short_goldens());
    let bytes: Vec<_> = (0..cases).map(|_| random::changed(rng, &pickles)).collect();
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines = bytes.iter().map(|bytes| hex(bytes) + "\n").collect();
    let printed = python(&["judge"], lines);
    let mut both = 0;
    for (bytes, python) in bytes.iter().zip(printed.lines()) {
        let Ok(found) = describe(bytes) else { continue };
        // Python also checks what a date can be, and Rust refuses what is no data.
        let alike = found == python || python.starts_with("refused");
        assert!(alike, "{bytes:?} is read as\n{found}\nand by Python as\n{python}");
        both += u64::from(found == python);
    }
    println!("{both} of {cases} are read alike");
    assert!(both > cases / 100);
}
