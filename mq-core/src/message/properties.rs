//! What a message may tell the broker beyond payload, key and headers.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;

/// The rarer properties of a message; all absent by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Properties {
    /// The partition to write to, instead of the one that the key chooses.
    pub partition: Option<u32>,
    /// The destination, instead of the producer's.
    pub destination: Option<Arc<str>>,
    /// Not to be delivered before this time.
    pub deliver_at: Option<SystemTime>,
    /// Not to be handled after this time.
    pub expires_at: Option<SystemTime>,
    /// 0 (lowest) to 9.
    pub priority: Option<u8>,
    /// Relates a reply to its request.
    pub correlation_id: Option<Bytes>,
    /// Where a reply is to go.
    pub reply_to: Option<Arc<str>>,
}

impl Properties {
    pub(crate) const EMPTY: Self = Self {
        partition: None,
        destination: None,
        deliver_at: None,
        expires_at: None,
        priority: None,
        correlation_id: None,
        reply_to: None,
    };
}
