//! Layers of the user's own, around single and batch listeners alike.

use std::{fmt, sync::Arc};

use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    binder::{Deliveries, Delivery},
    error::{BoxError, Error, ErrorKind, Result},
    middleware::{Arrival, BoxedStack},
};

/// A tower layer that fits around the stack of a request `R`: any layer whose service keeps the response.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not fit around a listener",
    label = "not a layer for deliveries",
    note = "its service must take the request unchanged, answer what the inner service answered, and have an error that converts into `BoxError`",
    note = "a layer that only knows single deliveries or only batches goes in with `only_single(…)` or `only_batch(…)`"
)]
pub trait LayerOf<R: Arrival>: Send + Sync + 'static {
    /// Wraps the stack.
    fn wrap(&self, inner: BoxedStack<R>) -> BoxedStack<R>;
}

#[diagnostic::do_not_recommend]
impl<R, L> LayerOf<R> for L
where
    R: Arrival,
    L: Layer<BoxedStack<R>> + Send + Sync + 'static,
    L::Service:
        Service<R, Response = R::Handled, Error: Into<BoxError>, Future: Send> + Send + 'static,
{
    fn wrap(&self, inner: BoxedStack<R>) -> BoxedStack<R> {
        BoxedStack::new(self.layer(inner).map_err(Into::into))
    }
}

/// A layer of the user's, erased.
pub trait UserLayer: Send + Sync {
    /// Around single deliveries.
    ///
    /// # Errors
    /// The layer is for batches only.
    fn single(&self, inner: BoxedStack<Delivery>) -> Result<BoxedStack<Delivery>>;

    /// Around batches.
    ///
    /// # Errors
    /// The layer is for single deliveries only.
    fn batch(&self, inner: BoxedStack<Deliveries>) -> Result<BoxedStack<Deliveries>>;
}

struct Both<L>(L);
struct Single<L>(L);
struct Batched<L>(L);

impl<L: LayerOf<Delivery> + LayerOf<Deliveries>> UserLayer for Both<L> {
    fn single(&self, inner: BoxedStack<Delivery>) -> Result<BoxedStack<Delivery>> {
        Ok(self.0.wrap(inner))
    }

    fn batch(&self, inner: BoxedStack<Deliveries>) -> Result<BoxedStack<Deliveries>> {
        Ok(self.0.wrap(inner))
    }
}

impl<L: LayerOf<Delivery>> UserLayer for Single<L> {
    fn single(&self, inner: BoxedStack<Delivery>) -> Result<BoxedStack<Delivery>> {
        Ok(self.0.wrap(inner))
    }

    fn batch(&self, _: BoxedStack<Deliveries>) -> Result<BoxedStack<Deliveries>> {
        Err(misfit(
            "a layer for single deliveries stands around a batch listener; use `.layer` or `.layer_batch`",
        ))
    }
}

impl<L: LayerOf<Deliveries>> UserLayer for Batched<L> {
    fn single(&self, _: BoxedStack<Delivery>) -> Result<BoxedStack<Delivery>> {
        Err(misfit(
            "a layer for batches stands around a listener of single messages; use `.layer` or `.layer_single`",
        ))
    }

    fn batch(&self, inner: BoxedStack<Deliveries>) -> Result<BoxedStack<Deliveries>> {
        Ok(self.0.wrap(inner))
    }
}

fn misfit(text: &str) -> Error {
    Error::new(ErrorKind::Config, text)
}

/// A layer that only knows single deliveries.
pub fn only_single(layer: impl LayerOf<Delivery>) -> Arc<dyn UserLayer> {
    Arc::new(Single(layer))
}

/// A layer that only knows batches.
pub fn only_batch(layer: impl LayerOf<Deliveries>) -> Arc<dyn UserLayer> {
    Arc::new(Batched(layer))
}

/// The user's layers of one binding, outermost first.
#[derive(Clone, Default)]
pub struct UserLayers(Vec<Arc<dyn UserLayer>>);

impl UserLayers {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a layer inside of the others.
    pub fn push(&mut self, layer: impl LayerOf<Delivery> + LayerOf<Deliveries>) {
        self.0.push(Arc::new(Both(layer)));
    }

    /// Adds an erased layer inside of the others.
    pub fn push_erased(&mut self, layer: Arc<dyn UserLayer>) {
        self.0.push(layer);
    }

    /// These and, inside of them, `inner`.
    #[must_use]
    pub fn around(&self, inner: &Self) -> Self {
        Self(self.0.iter().chain(&inner.0).cloned().collect())
    }

    pub(super) fn fold<T>(
        &self,
        inner: T,
        wrap: impl Fn(&dyn UserLayer, T) -> Result<T>,
    ) -> Result<T> {
        self.0
            .iter()
            .rev()
            .try_fold(inner, |inner, layer| wrap(&**layer, inner))
    }
}

impl fmt::Debug for UserLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserLayers").field(&self.0.len()).finish()
    }
}
