//! Time that passes, and processor time.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Processor time of this process, of all threads, user and system.
pub(crate) fn processor() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Takes the time.
pub(crate) struct Watch(Instant, Duration);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Instant::now(), processor())
    }

    /// Milliseconds that have passed, and of processor time.
    pub(crate) fn stop(self) -> (f64, f64) {
        let processor = processor().saturating_sub(self.1);
        let passed = self.0.elapsed();
        (passed.as_secs_f64() * 1e3, processor.as_secs_f64() * 1e3)
    }
}
