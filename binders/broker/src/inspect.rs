//! What tests look at.

use mq_core::error::Result;

use crate::broker::Broker;

impl Broker {
    /// Writes a snapshot, and takes back segments that nothing needs any more; blocks on the disk.
    ///
    /// The broker does so by itself, as [`BrokerOptions`](crate::BrokerOptions) say.
    ///
    /// # Errors
    /// The disk is full, or has failed.
    pub fn checkpoint(&self) -> Result<()> {
        self.shared.checkpoint()
    }

    /// Where the journal ends, and everything that survives a restart as bytes: the same bytes after the same journal.
    #[doc(hidden)]
    #[must_use]
    pub fn inspect(&self) -> (u64, Vec<u8>) {
        let state = self.shared.lock();
        (state.lsn, state.snapshot())
    }
}
