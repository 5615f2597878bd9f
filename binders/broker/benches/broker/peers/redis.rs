//! `XADD`, pipelined.

use std::{error::Error, net::TcpStream};

use super::{
    BODY,
    window::{self, Confirmed},
};

/// Messages a second.
pub(super) fn publish(address: &str, messages: u64) -> Result<f64, Box<dyn Error>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut request =
        format!("*5\r\n$4\r\nXADD\r\n$5\r\nbench\r\n$1\r\n*\r\n$1\r\np\r\n${BODY}\r\n");
    request.push_str(&"7".repeat(BODY));
    request.push_str("\r\n");
    window::send(&stream, request.as_bytes(), messages, Ids::default())
}

/// The ids that the server answers with: two lines each, the length and the id.
#[derive(Debug, Default)]
struct Ids {
    lines: u64,
    is_within: bool,
}

impl Confirmed for Ids {
    fn read(&mut self, bytes: &[u8]) -> Result<u64, Box<dyn Error + Send + Sync>> {
        for byte in bytes {
            if !self.is_within && *byte == b'-' {
                return Err(format!("refused: {}", String::from_utf8_lossy(bytes)).into());
            }
            self.is_within = *byte != b'\n';
            self.lines += u64::from(*byte == b'\n');
        }
        Ok(self.lines / 2)
    }
}
