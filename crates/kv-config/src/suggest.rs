//! What was meant by a name that does not exist.

/// The known name that the given one is likely a slip of.
pub(crate) fn nearest(given: &str, known: &[String]) -> Option<String> {
    let given = given.to_ascii_uppercase();
    let distance = |name: &String| strsim::osa_distance(&given, &name.to_ascii_uppercase());
    // A slip for every four characters, but one in the shortest names.
    let tolerated = (given.chars().count() / 4).max(1);
    let close = known.iter().map(|name| (distance(name), name)).filter(|(d, _)| *d <= tolerated);
    let found = close.min_by_key(|(distance, _)| *distance).map(|(_, name)| name);
    found.or_else(|| shortened(&given, known)).cloned()
}

/// The names, those first that resemble the given one most.
pub(crate) fn by_distance(given: &str, mut known: Vec<String>) -> Vec<String> {
    let given = given.to_ascii_uppercase();
    known.sort_by_key(|name| strsim::osa_distance(&given, &name.to_ascii_uppercase()));
    known
}

/// The known name of which the given one is the beginning, or the end behind a separator.
fn shortened<'a>(given: &str, known: &'a [String]) -> Option<&'a String> {
    if given.len() < 2 {
        return None;
    }
    let matches = |name: &&String| {
        let name = name.to_ascii_uppercase();
        let end = name.strip_suffix(given).is_some_and(|head| head.ends_with(['_', '.']));
        end || name.starts_with(given)
    };
    known.iter().filter(matches).min_by_key(|name| name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(given: &str) -> Option<String> {
        let known = ["TYPE", "DEFAULT_TTL", "URL", "REDIS_HOST", "REDIS_PASSWORD_FILE"]
            .iter()
            .chain(&["REDIS_PASSWORD"])
            .map(ToString::to_string);
        nearest(given, &known.collect::<Vec<_>>())
    }

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        for (given, expected) in [
            ("TPYE", "TYPE"),
            ("REDIS_HOTS", "REDIS_HOST"),
            ("REDIS_PASWORD", "REDIS_PASSWORD"),
            ("redis_host", "REDIS_HOST"),
            ("TTL", "DEFAULT_TTL"),
            ("REDIS_PASS", "REDIS_PASSWORD"),
            ("URI", "URL"),
        ] {
            assert_eq!(meant(given).as_deref(), Some(expected), "{given}");
        }
    }

    #[test]
    fn what_resembles_nothing_finds_nothing() {
        for given in ["", "X", "SLED_PATH", "REDIS_COLOUR"] {
            assert_eq!(meant(given), None, "{given}");
        }
    }
}
