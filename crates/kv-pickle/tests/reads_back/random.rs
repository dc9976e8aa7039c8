//! Random values of any type, and types that get theirs by a macro.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU64, Wrapping};
use std::ops::{Bound, Range};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use serde_json::Value;

pub(crate) trait Random: Sized {
    fn random(rng: &mut Rng) -> Self;
}

/// A type with its derived `Serialize`, `Deserialize` and `PartialEq`, and a random value of it.
#[macro_export]
macro_rules! random {
    ($($(#[$meta:meta])* struct $name:ident {
        $($(#[$at:meta])* $field:ident: $type:ty),* $(,)?
    })*) => {$(
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        $(#[$meta])*
        pub(crate) struct $name { $($(#[$at])* $field: $type),* }

        impl $crate::random::Random for $name {
            fn random(_rng: &mut fastrand::Rng) -> Self {
                Self { $($field: <$type as $crate::random::Random>::random(_rng)),* }
            }
        }
    )*};
    ($($(#[$meta:meta])* struct $name:ident($($type:ty),*);)*) => {$(
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        $(#[$meta])*
        pub(crate) struct $name($($type),*);

        impl $crate::random::Random for $name {
            fn random(_rng: &mut fastrand::Rng) -> Self {
                Self($(<$type as $crate::random::Random>::random(_rng)),*)
            }
        }
    )*};
    ($($(#[$meta:meta])* enum $name:ident {
        $($variant:ident
            $(($($type:ty),*))?
            $({ $($field:ident: $inner:ty),* $(,)? })?
        ),* $(,)?
    })*) => {$(
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        $(#[$meta])*
        pub(crate) enum $name {
            $($variant $(($($type),*))? $({ $($field: $inner),* })?),*
        }

        impl $crate::random::Random for $name {
            fn random(rng: &mut fastrand::Rng) -> Self {
                let makers: &[fn(&mut fastrand::Rng) -> Self] = &[$(
                    |_rng| Self::$variant
                        $(($(<$type as $crate::random::Random>::random(_rng)),*))?
                        $({ $($field: <$inner as $crate::random::Random>::random(_rng)),* })?
                ),*];
                makers[rng.usize(..makers.len())](rng)
            }
        }
    )*};
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl Random for $type {
            fn random(rng: &mut Rng) -> Self {
                match rng.u8(..6) {
                    0 => Self::MAX,
                    1 => Self::MIN,
                    2 => rng.u8(..5) as Self,
                    _ => rng.$type(..),
                }
            }
        }
    )*};
}

integers!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128);

macro_rules! tuples {
    ($(($($item:ident)*))*) => {$(
        impl<$($item: Random),*> Random for ($($item,)*) {
            fn random(_rng: &mut Rng) -> Self {
                ($($item::random(_rng),)*)
            }
        }
    )*};
}

tuples!((A) (A B) (A B C) (A B C D));

fn few<T: Random, C: FromIterator<T>>(rng: &mut Rng) -> C {
    (0..rng.usize(..4)).map(|_| T::random(rng)).collect()
}

macro_rules! made {
    ($($type:ty: |$rng:ident| $value:expr;)*) => {
        $(impl Random for $type { fn random($rng: &mut Rng) -> Self { $value } })*
    };
}

made! {
    (): |_rng| ();
    bool: |rng| rng.bool();
    char: |rng| rng.char(..);
    f64: |rng| {
        let edges = [0.0, -0.0, 0.1, 5e-324, f64::MAX, 1e16, 1.0, -3.0];
        let any = f64::from_bits(rng.u64(..));
        if rng.bool() && any.is_finite() { any } else { edges[rng.usize(..edges.len())] }
    };
    // Infinite ones among them; no value that is not a number, since it equals nothing.
    f32: |rng| {
        let edges = [f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.1];
        let any = f32::from_bits(rng.u32(..));
        if rng.bool() && !any.is_nan() { any } else { edges[rng.usize(..edges.len())] }
    };
    String: |rng| match rng.u8(..5) {
        0 => String::new(),
        1 => rng.u8(..20).to_string(),
        2 => rng.choice(["null", "true", "a", "t", "c", "NaN", "1.0", "-0"]).unwrap().to_owned(),
        _ => (0..rng.usize(..5)).map(|_| rng.char(..)).collect(),
    };
    Duration: |rng| Duration::new(rng.u64(..), rng.u32(..1_000_000_000));
    SystemTime: |rng| {
        let away = Duration::new(rng.u64(..1 << 33), rng.u32(..1_000_000_000));
        if rng.u8(..9) == 0 { SystemTime::UNIX_EPOCH - away } else { SystemTime::UNIX_EPOCH + away }
    };
    IpAddr: |rng| if rng.bool() {
        IpAddr::from(rng.u32(..).to_be_bytes())
    } else {
        IpAddr::from(rng.u128(..).to_be_bytes())
    };
    SocketAddr: |rng| SocketAddr::new(IpAddr::random(rng), rng.u16(..));
    PathBuf: |rng| PathBuf::from(String::random(rng));
    NonZeroU64: |rng| NonZeroU64::MIN.saturating_add(u64::random(rng));
    Value: |rng| json(rng, 3);
    Cow<'static, str>: |rng| Cow::Owned(String::random(rng));
}

fn json(rng: &mut Rng, depth: usize) -> Value {
    match rng.u8(..if depth > 0 { 8 } else { 6 }) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => u64::random(rng).into(),
        3 => i64::random(rng).into(),
        4 => f64::random(rng).into(),
        5 => String::random(rng).into(),
        6 => (0..rng.usize(..3)).map(|_| json(rng, depth - 1)).collect(),
        _ => (0..rng.usize(..3)).map(|_| (String::random(rng), json(rng, depth - 1))).collect(),
    }
}

impl<T: Random> Random for Option<T> {
    fn random(rng: &mut Rng) -> Self {
        (rng.u8(..3) > 0).then(|| T::random(rng))
    }
}

impl<T: Random, E: Random> Random for Result<T, E> {
    fn random(rng: &mut Rng) -> Self {
        if rng.bool() { Ok(T::random(rng)) } else { Err(E::random(rng)) }
    }
}

impl<T: Random> Random for Bound<T> {
    fn random(rng: &mut Rng) -> Self {
        match rng.u8(..3) {
            0 => Self::Unbounded,
            1 => Self::Included(T::random(rng)),
            _ => Self::Excluded(T::random(rng)),
        }
    }
}

impl<T: Random> Random for Range<T> {
    fn random(rng: &mut Rng) -> Self {
        T::random(rng)..T::random(rng)
    }
}

impl<T: Random, const N: usize> Random for [T; N] {
    fn random(rng: &mut Rng) -> Self {
        std::array::from_fn(|_| T::random(rng))
    }
}

macro_rules! wrapped {
    ($($outer:ident: $wrap:expr),*) => {$(
        impl<T: Random> Random for $outer<T> {
            fn random(rng: &mut Rng) -> Self { $wrap(T::random(rng)) }
        }
    )*};
}

wrapped!(Box: Box::new, Wrapping: Wrapping, Reverse: Reverse);

macro_rules! collections {
    ($($name:ident<$($item:ident $(: $bound:ident)*),*> of $element:ty;)*) => {$(
        impl<$($item: Random $(+ $bound)*),*> Random for $name<$($item),*> {
            fn random(rng: &mut Rng) -> Self { few::<$element, Self>(rng) }
        }
    )*};
}

collections! {
    Vec<T> of T;
    VecDeque<T> of T;
    BTreeSet<T: Ord> of T;
    HashSet<T: Hash: Eq> of T;
    BTreeMap<K: Ord, V> of (K, V);
    HashMap<K: Hash: Eq, V> of (K, V);
}
