#![doc = include_str!("README.md")]

mod program;
mod process;
mod output;
mod reaper;
mod watchdog;
mod moments;
mod proxy;
pub mod servers;

pub use moments::Moments;
pub use process::Process;
pub use program::Program;
pub use proxy::{Cut, Direction, Incoming, Proxy, ProxyOptions, Statistics};
pub use servers::{Kind, Node, Secured, Server, ServerOptions, fetch, is_required};

use mq_core::error::{Error, ErrorKind};

/// Something that the harness tried and the system refused.
fn refused(what: impl Into<String>, source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, what)
        .operation("harness")
        .source(source)
}
