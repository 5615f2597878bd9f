//! `State<S>`: what the application was given.

use std::{future::Future, ops::Deref};

use super::{Extract, Preparation, Standing};
use crate::error::Result;

/// A clone of the state of type `S` that the application was given with `.state(…)`.
///
/// It is looked up once at start; a delivery costs one clone, so `S` is usually an `Arc` or a handle of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State<S>(pub S);

impl<S> Deref for State<S> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S: Clone + Send + Sync + 'static> Standing for State<S> {
    fn standing(state: &S) -> Self {
        Self(state.clone())
    }
}

impl<S: Clone + Send + Sync + 'static> Extract for State<S> {
    type Prepared = S;

    fn prepare(start: &mut Preparation<'_>) -> Result<S> {
        start.state()
    }

    at_once!(|state, _| Ok(Self::standing(state)));
}
