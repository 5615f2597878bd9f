//! What a process has used.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::job::Used;

/// Processor time of this process, of all its threads, also those that have ended.
pub(crate) fn processor() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

/// What was used since `begin` where processor time was `before`.
pub(crate) fn since(begin: Instant, before: Duration) -> Used {
    Used {
        seconds: begin.elapsed().as_secs_f64(),
        processor: (processor() - before).as_secs_f64(),
    }
}
