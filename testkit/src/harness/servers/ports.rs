//! Ports that stay a server's own, also while it is down.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use mq_core::error::{Error, ErrorKind, Result};

use super::store::try_lock;

/// Below the ports that the kernel hands out to clients: a listener there would now and then find its port taken.
const RANGE: Range<u16> = 20_000..32_000;

/// A port that no other test on this machine takes, as long as this lives. Between tests a lock on a file says so; against everybody
/// else, the port was free when it was chosen.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

/// Reserves ports, from a random place on.
pub(super) fn reserve(count: usize) -> Result<Vec<Port>> {
    let folder =
        std::env::temp_dir().join(format!("mq-ports-{}", rustix::process::geteuid().as_raw()));
    let made = fs::create_dir_all(&folder);
    made.map_err(|e| super::recipe::file_error("cannot make the folder for ports", &folder, e))?;
    let first = fastrand::u16(RANGE);
    let numbers = (first..RANGE.end).chain(RANGE.start..first);
    let free = numbers.filter_map(|number| {
        let lock = File::create(folder.join(number.to_string())).ok()?;
        let ours = try_lock(&lock).is_ok_and(|ours| ours);
        let free = ours && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
        free.then_some(Port {
            number,
            _lock: lock,
        })
    });
    let ports: Vec<_> = free.take(count).collect();
    if ports.len() == count {
        return Ok(ports);
    }
    Err(
        Error::new(ErrorKind::Full, "no free ports are left on this machine")
            .context("range", format!("{RANGE:?}")),
    )
}
