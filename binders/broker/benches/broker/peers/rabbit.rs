//! A quorum queue with publisher confirms.

use std::{collections::BTreeSet, error::Error, net::TcpStream};

use super::{
    BODY,
    amqp::{self, HEAD, call, frame, long, method, short},
    window::{self, Confirmed},
};

const QUEUE: &str = "bench";
const ACK: (u16, u16) = (60, 80);

/// Messages a second.
pub(super) fn publish(address: &str, messages: u64) -> Result<f64, Box<dyn Error>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    open(&stream)?;
    window::send(&stream, &request(), messages, Confirms::default())
}

/// Opens a connection, a channel and the queue.
fn open(stream: &TcpStream) -> Result<(), Box<dyn Error>> {
    call(stream, b"AMQP\0\0\x09\x01", (10, 10))?;
    let user = [
        vec![0; 4],
        short("PLAIN"),
        long("\0guest\0guest"),
        short("en_US"),
    ];
    let mut tune = call(stream, &method(0, 10, 11, &user.concat()), (10, 30))?;
    // The server's wishes, but no heartbeats.
    tune.truncate(6);
    tune.extend([0, 0]);
    let host = [short("/"), short(""), vec![0]].concat();
    let both = [method(0, 10, 31, &tune), method(0, 10, 40, &host)].concat();
    call(stream, &both, (10, 41))?;
    call(stream, &method(1, 20, 10, &short("")), (20, 11))?;
    let kind = [short("x-queue-type"), b"S".to_vec(), long("quorum")].concat();
    let len = u32::try_from(kind.len())?.to_be_bytes().to_vec();
    let durable = vec![2];
    let queue = [vec![0, 0], short(QUEUE), durable, len, kind].concat();
    call(stream, &method(1, 50, 10, &queue), (50, 11))?;
    call(stream, &method(1, 85, 10, &[0]), (85, 11))?;
    Ok(())
}

/// A persistent message: method, head, body.
fn request() -> Vec<u8> {
    let publish = [vec![0, 0], short(""), short(QUEUE), vec![0]].concat();
    let mut head = vec![0, 60, 0, 0];
    head.extend((BODY as u64).to_be_bytes());
    let persistent = [0x10, 0, 2];
    head.extend(persistent);
    [
        method(1, 60, 40, &publish),
        frame(2, 1, &head),
        frame(3, 1, &[7; BODY]),
    ]
    .concat()
}

/// What the server has confirmed.
#[derive(Debug, Default)]
struct Confirms {
    rest: Vec<u8>,
    /// Everything up to here.
    floor: u64,
    above: BTreeSet<u64>,
}

impl Confirms {
    fn confirm(&mut self, tag: u64, multiple: bool) {
        if multiple {
            self.floor = self.floor.max(tag);
            self.above = self.above.split_off(&(self.floor + 1));
        } else {
            self.above.insert(tag);
        }
        while self.above.remove(&(self.floor + 1)) {
            self.floor += 1;
        }
    }
}

impl Confirmed for Confirms {
    fn read(&mut self, bytes: &[u8]) -> Result<u64, Box<dyn Error + Send + Sync>> {
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(head) = self.rest.get(at..at + HEAD) {
            let len = amqp::payload_len(head);
            let Some(payload) = self.rest.get(at + HEAD..at + HEAD + len) else {
                break;
            };
            if self.rest.len() == at + HEAD + len {
                break;
            }
            let tag = payload.get(4..).and_then(<[u8]>::first_chunk::<8>);
            let (Some(ACK), Some(tag)) = (amqp::number(payload), tag) else {
                return Err(format!("not a confirmation: {payload:?}").into());
            };
            let (tag, multiple) = (u64::from_be_bytes(*tag), payload.get(12) == Some(&1));
            at += HEAD + len + 1;
            self.confirm(tag, multiple);
        }
        self.rest.drain(..at);
        Ok(self.floor + self.above.len() as u64)
    }
}
