//! One value through one format.

use std::fmt::Debug;

use fastrand::Rng;
use kv_core::Serializer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::random::Random;

/// Whether a random value of a type was written; it was read back equal then.
pub(crate) type Round = fn(&Serializer, &mut Rng) -> bool;

pub(crate) fn round<T>(serializer: &Serializer, rng: &mut Rng) -> bool
where
    T: Random + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let value = T::random(rng);
    let Ok(bytes) = serializer.encode(&value) else { return false };
    let back = serializer.decode::<T>(&bytes);
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        back.as_ref().is_ok_and(|back| *back == value),
        "{value:?} in {serializer:?} is {text:?}, and read as {back:?}"
    );
    true
}
