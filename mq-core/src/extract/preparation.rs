//! What extractors can find out at start.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    fmt,
    sync::Arc,
};

use crate::{
    codec::Codecs,
    error::{Error, ErrorKind, Result},
    output::{Outlet, Outlets},
};

/// The states that an application was given, by type.
#[derive(Clone, Default)]
pub struct States(Arc<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl States {
    /// Adds a state, replacing one of the same type.
    pub fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        Arc::make_mut(&mut self.0).insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// A copy of the state of this type.
    #[must_use]
    pub fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref::<T>().cloned()
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States")
            .field("count", &self.0.len())
            .finish()
    }
}

/// What a listener's parameters are prepared with, in the order of the parameters.
#[derive(Debug)]
pub struct Preparation<'a> {
    states: &'a States,
    codecs: &'a Codecs,
    outlets: &'a Outlets,
    function: &'a str,
    publishes: std::slice::Iter<'a, String>,
}

impl<'a> Preparation<'a> {
    /// With these states, codecs and outputs, for the function of this name; `publishes` names the outputs of its `Output`
    /// parameters, in order.
    #[must_use]
    pub fn new(
        states: &'a States,
        codecs: &'a Codecs,
        outlets: &'a Outlets,
        function: &'a str,
        publishes: &'a [String],
    ) -> Self {
        Self {
            states,
            codecs,
            outlets,
            function,
            publishes: publishes.iter(),
        }
    }

    /// The name of the function.
    #[must_use]
    pub fn function(&self) -> &str {
        self.function
    }

    /// The application's codecs.
    #[must_use]
    pub fn codecs(&self) -> &Codecs {
        self.codecs
    }

    /// The state of this type.
    ///
    /// # Errors
    /// There is none.
    pub fn state<T: Clone + 'static>(&self) -> Result<T> {
        let name = type_name::<T>();
        self.states.get().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!("no state of type `{name}`; add `.state(…)` with one to the application"),
            )
        })
    }

    /// The output of the next `Output` parameter.
    ///
    /// # Errors
    /// The parameter has no name, or no output binding has that name.
    pub fn next_outlet(&mut self) -> Result<Arc<Outlet>> {
        let name = self.publishes.next().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "an `Output` parameter has no name; write `#[output(\"name\")]` before it",
            )
        })?;
        self.outlets.get(name).cloned()
    }
}
