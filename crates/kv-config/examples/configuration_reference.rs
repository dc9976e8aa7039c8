//! Prints the reference of all variables: the text of `docs/CONFIGURATION.md`.

fn main() {
    print!("{}", kv_config::reference_markdown());
}
