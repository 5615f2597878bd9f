//! A payload with one of the usual content types: what most replies are.

use bytes::Bytes;

use super::{Message, content_type::Usual};

/// A message before it is made: a payload and its content type, a quarter as wide.
#[derive(Debug)]
pub(crate) struct Plain {
    payload: Bytes,
    content_type: Usual,
}

impl Plain {
    /// JSON.
    #[inline(always)]
    pub(crate) fn json(payload: Bytes) -> Self {
        Self {
            payload,
            content_type: Usual::Json,
        }
    }

    /// UTF-8 text.
    pub(crate) fn text(payload: String) -> Self {
        Self {
            payload: payload.into(),
            content_type: Usual::Text,
        }
    }

    /// Bytes of any kind.
    pub(crate) fn bytes(payload: Bytes) -> Self {
        Self {
            payload,
            content_type: Usual::Bytes,
        }
    }
}

impl From<Plain> for Message {
    #[inline(always)]
    fn from(plain: Plain) -> Self {
        Self {
            payload: Some(plain.payload),
            content_type: plain.content_type,
            ..Self::default()
        }
    }
}
