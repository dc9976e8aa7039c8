//! What a backend is configured with.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};

use crate::value::Value;
use crate::variable::{PREFIX, Variable};

/// The values of one backend's variables, checked, with the defaults of what is unset.
///
/// `Debug` shows no secret.
#[derive(Clone)]
pub struct Settings {
    backend: String,
    values: BTreeMap<&'static str, Setting>,
}

#[derive(Clone)]
struct Setting {
    value: Option<Value>,
    secret: bool,
}

impl Settings {
    pub(crate) fn new(backend: &str) -> Self {
        Self { backend: backend.into(), values: BTreeMap::new() }
    }

    pub(crate) fn insert(&mut self, variable: &Variable, value: Option<Value>) {
        self.values.insert(variable.name, Setting { value, secret: variable.is_secret() });
    }

    /// The value of a variable, by its name as it was declared; an `Option` where it may be
    /// unset.
    ///
    /// # Errors
    /// `Config` for a variable that is unset, was not declared, or was declared as another kind.
    ///
    /// ```
    /// use kv_config::{Config, Factory, Variable};
    /// # let opened = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    /// # let seen = opened.clone();
    /// let factory = Factory::new(move |settings| {
    ///     # seen.store(true, std::sync::atomic::Ordering::Relaxed);
    ///     async move {
    ///         assert_eq!(settings.get::<u16>("PORT")?, 4_000);
    ///         assert_eq!(settings.get::<Option<String>>("TOKEN")?, None);
    ///         Err(kv_core::Error::unsupported("anything"))
    ///     }
    /// });
    /// let factory = factory
    ///     .variable(Variable::integer("PORT", 1..=65_535).default("4000"))
    ///     .variable(Variable::secret("TOKEN"));
    /// let config = Config::with_backend("mine", factory)
    ///     .from_vars([("OC_KV_STORE_TYPE", "mine")])?;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # assert!(runtime.block_on(config.connect()).is_err());
    /// # assert!(opened.load(std::sync::atomic::Ordering::Relaxed));
    /// # Ok::<(), kv_core::Error>(())
    /// ```
    pub fn get<T: FromSetting>(&self, name: &str) -> Result<T> {
        let setting = self.values.get(name);
        let setting = setting.ok_or_else(|| self.error(name, "was not declared as a variable"))?;
        T::read(setting.value.as_ref()).map_err(|what| self.error(name, what))
    }

    fn error(&self, name: &str, what: &str) -> Error {
        let backend = self.backend.to_ascii_uppercase();
        Error::new(ErrorKind::Config, format!("{PREFIX}{backend}_{name}: {what}"))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_map();
        for (name, setting) in &self.values {
            match &setting.value {
                None => {}
                Some(_) if setting.secret => {
                    shown.entry(name, &"<secret>");
                }
                Some(value) => {
                    shown.entry(name, value);
                }
            }
        }
        shown.finish()
    }
}

/// A type that [`Settings::get`] gives: text, paths, integers, durations, flags, lists, and
/// `Option` of those.
pub trait FromSetting: sealed::Read {}

impl<T: sealed::Read> FromSetting for T {}

/// What a type can hold, to compare it with the kind of a variable.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Text,
    Path,
    /// Up to this.
    Integer(u64),
    Seconds,
    Flag,
    List,
}

mod sealed {
    use super::Shape;
    use crate::value::Value;

    pub trait Read: Sized {
        const SHAPE: Shape;

        /// The value, or what is wrong, as in "is no integer".
        fn read(value: Option<&Value>) -> Result<Self, &'static str>;
    }
}

const UNSET: &str = "is not set";

impl<T: sealed::Read> sealed::Read for Option<T> {
    const SHAPE: Shape = T::SHAPE;

    fn read(value: Option<&Value>) -> Result<Self, &'static str> {
        value.map(|value| T::read(Some(value))).transpose()
    }
}

macro_rules! readable {
    ($($target:ty, $shape:expr, $pattern:pat => $found:expr, $problem:literal;)*) => {$(
        impl sealed::Read for $target {
            const SHAPE: Shape = $shape;

            fn read(value: Option<&Value>) -> Result<Self, &'static str> {
                match value.ok_or(UNSET)? {
                    $pattern => $found,
                    _ => Err(concat!("was not declared as ", $problem)),
                }
            }
        }
    )*};
}

readable! {
    String, Shape::Text, Value::Text(text) => Ok(text.clone()), "text";
    PathBuf, Shape::Path, Value::Text(text) => Ok(text.into()), "text";
    bool, Shape::Flag, Value::Flag(flag) => Ok(*flag), "a flag";
    Duration, Shape::Seconds, Value::Seconds(duration) => Ok(*duration), "seconds";
    Vec<String>, Shape::List, Value::List(items) => Ok(items.clone()), "a list";
    u64, Shape::Integer(u64::MAX), Value::Integer(number) => Ok(*number), "an integer";
    u32, Shape::Integer(u32::MAX as u64), Value::Integer(number) => narrow(*number), "an integer";
    u16, Shape::Integer(u16::MAX as u64), Value::Integer(number) => narrow(*number), "an integer";
    u8, Shape::Integer(u8::MAX as u64), Value::Integer(number) => narrow(*number), "an integer";
    usize, Shape::Integer(usize::MAX as u64), Value::Integer(number) => narrow(*number), "an integer";
}

fn narrow<T: TryFrom<u64>>(number: u64) -> Result<T, &'static str> {
    T::try_from(number).map_err(|_| "was declared with a range beyond the type that is read")
}
