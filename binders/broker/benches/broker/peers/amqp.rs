//! As much of AMQP 0-9-1 as publishing with confirms needs (sections 2.3 and 4.2 of the specification).

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

const METHOD: u8 = 1;
const END: u8 = 0xCE;

/// Bytes of a frame before its payload.
pub(super) const HEAD: usize = 7;

/// A frame.
pub(super) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = vec![kind];
    frame.extend(channel.to_be_bytes());
    frame.extend(len.to_be_bytes());
    frame.extend(payload);
    frame.push(END);
    frame
}

/// A frame with a method.
pub(super) fn method(channel: u16, class: u16, number: u16, arguments: &[u8]) -> Vec<u8> {
    let payload = [&class.to_be_bytes(), &number.to_be_bytes(), arguments].concat();
    frame(METHOD, channel, &payload)
}

/// A text of at most 255 bytes.
pub(super) fn short(text: &str) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(text.len()).unwrap_or(u8::MAX)];
    bytes.extend(text.as_bytes());
    bytes
}

/// A text with a length of four bytes.
pub(super) fn long(text: &str) -> Vec<u8> {
    let mut bytes = u32::try_from(text.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes()
        .to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

/// Sends bytes and waits for the method that answers; returns its arguments.
pub(super) fn call(
    mut stream: &TcpStream,
    bytes: &[u8],
    answer: (u16, u16),
) -> io::Result<Vec<u8>> {
    stream.write_all(bytes)?;
    let mut head = [0; HEAD];
    stream.read_exact(&mut head)?;
    let mut payload = vec![0; payload_len(&head) + 1];
    stream.read_exact(&mut payload)?;
    if head[0] != METHOD || number(&payload) != Some(answer) {
        let text = String::from_utf8_lossy(&payload).into_owned();
        return Err(io::Error::other(format!("expected {answer:?}: {text}")));
    }
    Ok(payload.split_off(4))
}

/// Class and number of a method.
pub(super) fn number(payload: &[u8]) -> Option<(u16, u16)> {
    let class = payload.first_chunk::<2>()?;
    let number = payload.get(2..)?.first_chunk::<2>()?;
    Some((u16::from_be_bytes(*class), u16::from_be_bytes(*number)))
}

/// The length that a frame's head says; its end is one byte more.
pub(super) fn payload_len(head: &[u8]) -> usize {
    let len = head.get(3..).and_then(<[u8]>::first_chunk::<4>);
    len.map_or(0, |len| u32::from_be_bytes(*len) as usize)
}
