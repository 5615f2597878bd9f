//! Clocks that a test sets.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::time::TimeSource;

/// Two clocks that stand still until they are told; clones are the same clocks.
#[derive(Clone, Debug)]
pub struct Time(Arc<Mutex<(SystemTime, Duration)>>);

impl Default for Time {
    fn default() -> Self {
        let wall = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        Self(Arc::new(Mutex::new((wall, Duration::from_secs(1_000)))))
    }
}

impl Time {
    /// Time goes on.
    pub fn advance(&self, by: Duration) {
        let mut clocks = self.lock();
        clocks.0 += by;
        clocks.1 += by;
    }

    /// Somebody sets the time of day.
    pub fn set(&self, wall: SystemTime) {
        self.lock().0 = wall;
    }

    /// Another process sees this steady time: that of a machine that was started again, for example.
    pub fn restart(&self) {
        self.lock().1 = Duration::ZERO;
    }

    fn lock(&self) -> MutexGuard<'_, (SystemTime, Duration)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TimeSource for Time {
    fn wall(&self) -> SystemTime {
        self.lock().0
    }

    fn steady(&self) -> Duration {
        self.lock().1
    }
}
