//! A service as its author sees it, on the in-memory binder: bad input, layers of the author's own, and mistakes in the settings.

mod bad_input;
mod control;
mod kit;
mod layers;
mod mistakes;
mod outputs;
mod trouble;
mod weaker;
