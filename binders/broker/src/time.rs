//! Where a broker gets the time from.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use rustix::time::{ClockId, clock_gettime};

/// Two clocks: one that people set, and one that only goes on.
///
/// The broker looks at the first one once, when it is opened, and goes by the second one from then on: nobody who sets the clock makes
/// a delayed message early, or a lease endless.
pub trait TimeSource: Send + Sync + fmt::Debug + 'static {
    /// The time of day, which may jump.
    fn wall(&self) -> SystemTime;

    /// Time since some moment before; never goes back, and goes on while the machine sleeps.
    fn steady(&self) -> Duration;
}

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemTimeSource;

impl TimeSource for SystemTimeSource {
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn steady(&self) -> Duration {
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        let time = clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
    }
}
