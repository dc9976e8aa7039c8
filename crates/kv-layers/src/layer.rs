//! What a transparent layer implements: one method, which stands around every call.

mod layered;

use kv_core::{KeyValueStore, Result};

use crate::Call;
pub use layered::Layered;

/// Code around each call of a store, whatever the call is.
///
/// A layer is written once for all operations. It knows a call only by its [`Call`]: it can delay,
/// give up or repeat a call, and measure its time. It cannot change the arguments or the answer.
/// [`Layered`] puts a layer around a store.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use kv_core::{KeyValueStore, Result, Store};
/// use kv_layers::{Access, Call, Layer};
///
/// /// Counts the calls that may write.
/// #[derive(Default)]
/// struct Writes(std::sync::Arc<AtomicU32>);
///
/// impl Layer for Writes {
///     async fn call<A, T, R>(
///         &self,
///         call: Call,
///         args: A,
///         run: impl Fn(A) -> R + Send + Sync,
///     ) -> Result<T>
///     where
///         A: Clone + Send + Sync,
///         T: Send,
///         R: Future<Output = Result<T>> + Send,
///     {
///         if call.access() == Access::Write {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///         run(args).await
///     }
/// }
///
/// # kv_testkit::runtime()?.block_on(async {
/// let writes = Writes::default();
/// let counted = writes.0.clone();
/// let store = Store::new(writes.on(kv_memory::MemoryStore::new()));
/// store.set("k", "v").await.unwrap();
/// assert_eq!(store.get("k").await.unwrap(), Some("v".to_owned()));
/// assert_eq!(counted.load(Ordering::Relaxed), 1);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Layer: Send + Sync + 'static {
    /// Makes one call: runs it on its arguments once, or again on a clone of the arguments.
    ///
    /// # Errors
    /// Those of the store, or the layer's own.
    ///
    /// # Cancel safety
    /// A dropped future drops the running call, and the layer leaves nothing behind.
    fn call<A, T, R>(
        &self,
        call: Call,
        args: A,
        run: impl Fn(A) -> R + Send + Sync,
    ) -> impl Future<Output = Result<T>> + Send
    where
        A: Clone + Send + Sync,
        T: Send,
        R: Future<Output = Result<T>> + Send;

    /// Lets a store answer at once, if it can do so without waiting. Such a call cannot be delayed
    /// or repeated, so only a layer that observes calls overrides this method.
    fn at_hand<T>(
        &self,
        call: Call,
        answer: impl FnOnce() -> Option<Result<T>>,
    ) -> Option<Result<T>> {
        let _ = call;
        answer()
    }

    /// The store with this layer around it.
    fn on(self, store: impl KeyValueStore) -> Layered<Self>
    where
        Self: Sized,
    {
        Layered::new(self, store)
    }
}

/// An optional layer.
impl<L: Layer> Layer for Option<L> {
    async fn call<A, T, R>(
        &self,
        call: Call,
        args: A,
        run: impl Fn(A) -> R + Send + Sync,
    ) -> Result<T>
    where
        A: Clone + Send + Sync,
        T: Send,
        R: Future<Output = Result<T>> + Send,
    {
        match self {
            Some(layer) => layer.call(call, args, run).await,
            None => run(args).await,
        }
    }

    fn at_hand<T>(
        &self,
        call: Call,
        answer: impl FnOnce() -> Option<Result<T>>,
    ) -> Option<Result<T>> {
        match self {
            Some(layer) => layer.at_hand(call, answer),
            None => answer(),
        }
    }
}

/// Two layers as one, the first outside. Private, because [`Layers`](crate::Layers) fixes the
/// order.
#[derive(Debug)]
pub(crate) struct Around<O, I>(pub(crate) O, pub(crate) I);

impl<O: Layer, I: Layer> Layer for Around<O, I> {
    async fn call<A, T, R>(
        &self,
        call: Call,
        args: A,
        run: impl Fn(A) -> R + Send + Sync,
    ) -> Result<T>
    where
        A: Clone + Send + Sync,
        T: Send,
        R: Future<Output = Result<T>> + Send,
    {
        self.0.call(call, args, |args| self.1.call(call, args, &run)).await
    }

    fn at_hand<T>(
        &self,
        call: Call,
        answer: impl FnOnce() -> Option<Result<T>>,
    ) -> Option<Result<T>> {
        self.0.at_hand(call, || self.1.at_hand(call, answer))
    }
}
