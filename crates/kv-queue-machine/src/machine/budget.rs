//! How many bytes one answer may carry.

/// A sum of bytes with a limit: the first item always fits.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    sum: Option<usize>,
}

impl Budget {
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, sum: None }
    }

    /// Counts an item of this size, unless the sum would exceed the limit. Returns whether the item
    /// fits.
    pub(super) const fn take(&mut self, bytes: usize) -> bool {
        let sum = match self.sum {
            None => bytes,
            Some(sum) => {
                let sum = sum.saturating_add(bytes);
                if sum > self.limit {
                    return false;
                }
                sum
            }
        };
        self.sum = Some(sum);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_item_fits_whatever_its_size_and_then_none_fits() {
        let mut budget = Budget::new(3);
        assert!(budget.take(4));
        assert!(!budget.take(0));
    }

    #[test]
    fn items_fit_up_to_the_limit_and_not_a_byte_more() {
        let mut budget = Budget::new(3);
        assert!(budget.take(1) && budget.take(2) && budget.take(0));
        assert!(!budget.take(1));
    }
}
