//! The harness: child processes, fail points, the proxy, and servers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod child;
mod process;
mod fail_points;
mod proxy;
mod servers;
mod variables;

use std::time::Duration;

/// Long enough for a loaded machine; nothing waits for it that works.
const SOON: Duration = Duration::from_secs(30);
