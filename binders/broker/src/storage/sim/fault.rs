//! What goes wrong on demand.

use std::io::ErrorKind;

/// What is to go wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The write of this number from now on (0 is the next) writes a part and reports a full disk.
    FullAtWrite(u64),
    /// The write of this number from now on writes a part and reports an I/O error.
    BrokenWrite(u64),
    /// The sync of a file of this number from now on reports an I/O error; what it was to sync is never synced.
    BrokenSync(u64),
    /// The creation of this number from now on is refused: too many open files.
    Create(u64),
    /// The renaming of this number from now on is refused.
    Rename(u64),
    /// The next lock is refused, as if another process had it.
    Lock,
}

/// What the faults call an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Write,
    Sync,
    Create,
    Rename,
    Other,
}

impl Fault {
    /// Counts down; returns the error when it is time.
    pub(super) fn count(&mut self, kind: Kind) -> Option<ErrorKind> {
        let (left, of, error) = match self {
            Self::FullAtWrite(left) => (left, Kind::Write, ErrorKind::StorageFull),
            Self::BrokenWrite(left) => (left, Kind::Write, ErrorKind::Other),
            Self::BrokenSync(left) => (left, Kind::Sync, ErrorKind::Other),
            Self::Create(left) => (left, Kind::Create, ErrorKind::QuotaExceeded),
            Self::Rename(left) => (left, Kind::Rename, ErrorKind::PermissionDenied),
            Self::Lock => return None,
        };
        if of != kind {
            return None;
        }
        let is_now = *left == 0;
        *left = left.saturating_sub(1);
        is_now.then_some(error)
    }
}
