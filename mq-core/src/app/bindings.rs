//! What an application says of one binding in code.

use crate::{
    binder::{Deliveries, Delivery},
    listener::{LayerOf, UserLayers, only_batch, only_single},
};

/// One binding, in `app.binding("orders", |b| b.layer(…))`.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct BindingBuilder {
    pub(super) layers: UserLayers,
}

impl BindingBuilder {
    /// Adds a tower layer around this binding's listener, single or batch, inside of those added before.
    ///
    /// It stands outside of retry and dead-lettering, and sees every attempt.
    /// An error of its own (overloaded, elapsed) puts the message off without counting an attempt.
    pub fn layer(mut self, layer: impl LayerOf<Delivery> + LayerOf<Deliveries>) -> Self {
        self.layers.push(layer);
        self
    }

    /// Adds a layer that only knows single deliveries.
    pub fn layer_single(mut self, layer: impl LayerOf<Delivery>) -> Self {
        self.layers.push_erased(only_single(layer));
        self
    }

    /// Adds a layer that only knows batches.
    pub fn layer_batch(mut self, layer: impl LayerOf<Deliveries>) -> Self {
        self.layers.push_erased(only_batch(layer));
        self
    }
}
