//! Where a copy is, as a text that outlives the process.

use std::fmt;

use kv_core::{Error, ErrorKind, Result};

/// Where a copy can go on; it is a text, to be kept where a restart finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position(String);

impl Position {
    /// A position as it was [told](Self::as_str).
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, empty for the beginning.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The same, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The walk over the keys, at a cursor.
    Values(Option<String>),
    Queue(At),
    End,
}

/// A page of a partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct At {
    /// Which of the copy's queues.
    pub(super) queue: usize,
    pub(super) partition: u32,
    pub(super) page: Option<String>,
}

impl Position {
    /// # Errors
    /// `Config` for a text that is no position of a copy with these queues.
    pub(super) fn place(&self, queues: &[(String, u32)]) -> Result<Place> {
        let wrong = || {
            let message = format!(
                "{:?} is no position of this copy; expected one that it told, with the same queues",
                self.0
            );
            Error::new(ErrorKind::Config, message)
        };
        let mut words = self.0.splitn(4, ' ');
        match (words.next().unwrap_or_default(), words.next(), words.next(), words.next()) {
            ("", None, ..) => Ok(Place::Values(None)),
            ("end", None, ..) => Ok(Place::End),
            ("values", Some(_), ..) => {
                Ok(Place::Values(self.0.strip_prefix("values ").map(str::to_owned)))
            }
            ("jobs", Some(queue), Some(partition), page) => {
                let (queue, partition) =
                    queue.parse().ok().zip(partition.parse().ok()).ok_or_else(wrong)?;
                let known = queues.get(queue).is_some_and(|(_, count)| partition < *count);
                let page = page.map(str::to_owned);
                known.then_some(Place::Queue(At { queue, partition, page })).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl Place {
    pub(super) fn told(&self) -> Position {
        Position(match self {
            Self::Values(None) => String::new(),
            Self::Values(Some(cursor)) => format!("values {cursor}"),
            Self::Queue(At { queue, partition, page: None }) => format!("jobs {queue} {partition}"),
            Self::Queue(At { queue, partition, page: Some(page) }) => {
                format!("jobs {queue} {partition} {page}")
            }
            Self::End => "end".to_owned(),
        })
    }

    /// The first page of a partition, or of the next queue that there is.
    pub(super) fn partition(queues: &[(String, u32)], queue: usize, partition: u32) -> Self {
        match queues.get(queue) {
            None => Self::End,
            Some((_, count)) if partition < *count => {
                Self::Queue(At { queue, partition, page: None })
            }
            Some(_) => Self::partition(queues, queue + 1, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues() -> Vec<(String, u32)> {
        vec![("a".to_owned(), 2), ("b".to_owned(), 1)]
    }

    #[test]
    fn a_place_is_read_as_it_was_told() {
        let page = Some("r:8000000000002a with spaces".to_owned());
        for place in [
            Place::Values(None),
            Place::Values(Some("sqlite:a key with spaces".to_owned())),
            Place::Queue(At { queue: 0, partition: 1, page: None }),
            Place::Queue(At { queue: 1, partition: 0, page }),
            Place::End,
        ] {
            assert_eq!(place.told().place(&queues()).unwrap(), place);
        }
    }

    #[test]
    fn partitions_follow_each_other_through_all_queues() {
        let at = |queue, partition| Place::Queue(At { queue, partition, page: None });
        assert_eq!(Place::partition(&queues(), 0, 1), at(0, 1));
        assert_eq!(Place::partition(&queues(), 0, 2), at(1, 0));
        assert_eq!(Place::partition(&queues(), 1, 1), Place::End);
    }

    #[test]
    fn what_is_no_position_of_the_copy_is_refused() {
        for text in ["values", "jobs", "jobs 0", "jobs 0 2", "jobs 2 0", "jobs x 0", "end 1", "x"] {
            let error = Position::new(text).place(&queues()).unwrap_err();
            assert!(error.kind() == ErrorKind::Config && error.to_string().contains("expected"));
        }
    }
}
