//! The socket of a folder: what a second process can ask the broker that has it.
//!
//! One line of JSON a request, one line a reply, in order. `v` is the version of the protocol in both.
//!
//! ```text
//! > {"v":1,"do":"lag","destination":"orders","group":"billing"}
//! < {"v":1,"ok":{"messages":3,"oldest_ms":1520}}
//! > {"v":1,"do":"lag","destination":"nothing","group":"billing"}
//! < {"v":1,"error":{"kind":"not_found","status":"permanent","message":"there is no such destination"}}
//! ```

mod answer;
mod remote;
mod request;
mod serve;

pub use remote::Remote;
pub use request::{ReadFrom, Request};
pub(crate) use serve::Socket;

/// The file in the folder.
pub(crate) const FILE: &str = "admin.sock";
/// The version of the protocol.
const VERSION: u64 = 1;
/// Bytes of a request, at most.
const LINE: usize = 64 << 10;
