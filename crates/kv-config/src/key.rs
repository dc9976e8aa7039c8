//! A variable of the table whose type is known: what reads it cannot ask for another.

use std::marker::PhantomData;

use crate::settings::{FromSetting, Shape};
use crate::variable::{Kind, Variable};

/// A variable, its group, and the type that is read.
pub(crate) struct Key<T> {
    pub(crate) variable: Variable,
    group: &'static str,
    read: PhantomData<fn() -> T>,
}

impl<T: FromSetting> Key<T> {
    /// The key of a variable of a group. It does not compile where the variable's kind or range
    /// does not fit the type.
    pub(crate) const fn new(group: &'static str, variable: Variable) -> Self {
        assert!(fits(&variable.kind, T::SHAPE), "the variable holds another type");
        Self { variable, group, read: PhantomData }
    }

    /// The variable's name in the environment.
    pub(crate) fn name(&self) -> String {
        self.variable.name_in(self.group)
    }
}

const fn fits(kind: &Kind, shape: Shape) -> bool {
    match kind {
        Kind::Text | Kind::Secret | Kind::Choice(_) => matches!(shape, Shape::Text),
        Kind::Path => matches!(shape, Shape::Path),
        Kind::Integer { max, .. } => matches!(shape, Shape::Integer(most) if *max <= most),
        Kind::Seconds { .. } => matches!(shape, Shape::Seconds),
        Kind::Flag => matches!(shape, Shape::Flag),
        Kind::List => matches!(shape, Shape::List),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_fits_a_type_that_holds_its_greatest() {
        let byte = Kind::Integer { min: 0, max: 255 };
        assert!(fits(&byte, Shape::Integer(255)) && fits(&byte, Shape::Integer(65_535)));
        assert!(!fits(&byte, Shape::Integer(254)));
    }

    #[test]
    fn no_kind_fits_the_type_of_another() {
        let kinds = [Kind::Text, Kind::Path, Kind::Flag, Kind::List];
        let shapes = [Shape::Text, Shape::Path, Shape::Flag, Shape::List];
        for (at, kind) in kinds.iter().enumerate() {
            for (other, shape) in shapes.into_iter().enumerate() {
                assert_eq!(fits(kind, shape), at == other, "{kind:?} {shape:?}");
            }
            assert!(!fits(kind, Shape::Seconds) && !fits(kind, Shape::Integer(u64::MAX)));
        }
    }
}
