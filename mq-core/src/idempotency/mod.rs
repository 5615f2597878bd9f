//! placeholder
use crate::{error::Result, message::MessageId};
use async_trait::async_trait;
use std::{fmt::Debug, time::Duration};
/// key
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub bytes::Bytes);
impl IdempotencyKey {
    /// n
    pub fn new(b: bytes::Bytes) -> Self {
        Self(b)
    }
}
impl From<&MessageId> for IdempotencyKey {
    fn from(id: &MessageId) -> Self {
        Self(id.to_bytes())
    }
}
/// claim
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// k
    pub key: IdempotencyKey,
    /// t
    pub token: u64,
}
/// claimed
#[derive(Clone, Debug)]
pub enum Claimed {
    /// r
    Run(Claim),
    /// d
    Done,
    /// b
    Busy {
        /// w
        wait: Duration,
    },
}
/// store
#[async_trait]
pub trait IdempotencyStore: Send + Sync + Debug {
    /// c
    async fn claim(
        &self,
        scope: &str,
        keys: &[IdempotencyKey],
        lease: Duration,
    ) -> Result<Vec<Claimed>>;
    /// c
    async fn complete(&self, scope: &str, claims: &[Claim], keep: Duration) -> Result<Vec<bool>>;
    /// r
    async fn release(&self, scope: &str, claims: &[Claim]) -> Result<()>;
    /// r
    async fn renew(&self, scope: &str, claims: &[Claim], lease: Duration) -> Result<Vec<bool>>;
}
