//! What this process holds in memory.

use std::{fs, io};

/// Resident memory in MB (1,000,000 bytes).
pub(crate) fn resident() -> io::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kibibytes: Option<f64> = kibibytes.and_then(|number| number.trim().parse().ok());
    kibibytes
        .map(|count| count * 1_024.0 / 1e6)
        .ok_or_else(|| io::Error::other("the system does not say how much memory is in use"))
}
