//! How many bytes of one call are in flight at once.
//!
//! A connection carries requests one after another, so other callers wait for the bytes in flight.
//! A call of many keys or commands is therefore sent in parts, one after another.

use std::collections::VecDeque;

use super::request::Request;
use super::sizes::Sizes;

/// How many bytes the requests of a part may have, and its replies as many: a few milliseconds on a
/// fast link, less than half a second at 2.5 MiB/s. A larger request goes alone.
pub(crate) const BUDGET: usize = 1 << 20;

/// The estimated size of a value before the first reply: so that the first request asks for a few
/// values, whose sizes give an estimate.
pub(crate) const UNKNOWN: usize = BUDGET / 4;

/// Takes the first part of the requests: those that fit into the budget, at least one.
pub(super) fn first_part(requests: &mut VecDeque<Request>, sizes: &Sizes) -> Vec<Request> {
    let (mut part, mut sent, mut replied) = (Vec::new(), 0_usize, 0_usize);
    while let Some(request) = requests.front() {
        sent = sent.saturating_add(request.bytes());
        replied = replied.saturating_add(expected(request, sizes));
        if !part.is_empty() && (sent > BUDGET || replied > BUDGET) {
            break;
        }
        sizes.saw(request.largest_value());
        part.extend(requests.pop_front());
    }
    part
}

/// The estimated size of the reply.
fn expected(request: &Request, sizes: &Sizes) -> usize {
    let values = request.values();
    sizes.of(values).unwrap_or_else(|| UNKNOWN.saturating_mul(values))
}

/// Cuts a list into pieces of at most this many bytes, or of one item.
pub(crate) fn pieces<T>(items: Vec<T>, most: usize, bytes: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let (mut pieces, mut filled) = (Vec::<Vec<T>>::new(), 0_usize);
    for item in items {
        let more = bytes(&item);
        filled = filled.saturating_add(more);
        match pieces.last_mut() {
            Some(piece) if filled <= most => piece.push(item),
            _ => {
                pieces.push(vec![item]);
                filled = more;
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::driver::{Only, SetExpiry};

    fn set(bytes: usize) -> Request {
        let (key, value) = (Bytes::from_static(b"k"), Bytes::from(vec![b'v'; bytes]));
        Request::Set { key, value, expiry: SetExpiry::Never, only: Only::Always }
    }

    /// How many requests each part has.
    fn parts(requests: Vec<Request>, sizes: &Sizes) -> Vec<usize> {
        let mut rest = VecDeque::from(requests);
        let mut parts = Vec::new();
        while !rest.is_empty() {
            parts.push(first_part(&mut rest, sizes).len());
        }
        parts
    }

    #[test]
    fn a_part_has_what_fits_and_what_is_larger_goes_alone() {
        let sets = [400, 400, 400, 5_000, 10, 10].map(|kib| set(kib << 10));
        assert_eq!(parts(sets.into(), &Sizes::default()), [2, 1, 1, 2]);
        assert_eq!(parts((0..5_000).map(|_| set(10)).collect(), &Sizes::default()), [5_000]);
    }

    #[test]
    fn values_to_come_are_counted_as_they_are_believed_to_be() {
        let gets = || vec![Request::Get(Bytes::from_static(b"k")); 6];
        let sizes = Sizes::default();
        assert_eq!(parts(gets(), &sizes), [4, 2], "nothing is known");
        sizes.learn(10);
        assert_eq!(parts(gets(), &sizes), [6]);
        sizes.learn(300 << 10);
        assert_eq!(parts(gets(), &sizes), [3, 3]);
        sizes.saw(2 << 20);
        assert_eq!(parts(gets(), &sizes), [1; 6]);
    }

    #[test]
    fn a_list_is_cut_where_it_would_be_too_large() {
        let cut = |items: &[usize]| pieces(items.to_vec(), 10, |item| *item);
        assert_eq!(cut(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(cut(&[4, 6, 1, 30, 0, 10]), [vec![4, 6], vec![1], vec![30], vec![0, 10]]);
    }
}
