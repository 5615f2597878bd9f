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

    /// How often the folder was opened with destinations in memory.
    #[doc(hidden)]
    #[must_use]
    pub fn boots(&self) -> u32 {
        self.shared.lock().boots
    }

    /// What [`inspect`](Self::inspect) would have said before the broker has written anything by itself; only where the options say so.
    #[doc(hidden)]
    #[must_use]
    pub fn opened(&self) -> Option<(u64, Vec<u8>)> {
        self.shared.opened.clone()
    }

    /// Where the journal ends, and everything that survives a restart as bytes: the same bytes after the same journal.
    #[doc(hidden)]
    #[must_use]
    pub fn inspect(&self) -> (u64, Vec<u8>) {
        let state = self.shared.lock();
        (state.lsn, state.snapshot())
    }
}
