//! Codecs: from bytes to values and back, chosen by content type.

mod json;
mod registry;
mod scratch;

pub(crate) use json::json;
pub use registry::{Codec, Codecs, JsonCodec, Reader, TextCodec};
pub use scratch::encode_exact;

use std::fmt;

use crate::error::BoxError;

/// Why a payload could not be read as what the listener asked for. Such a message is never retried.
#[derive(Debug)]
pub struct Undecodable {
    message: String,
    source: Option<BoxError>,
}

impl Undecodable {
    /// With the reason, in lower case and without a final period.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// Sets the cause.
    #[must_use]
    pub fn source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Undecodable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
