//! Encoding into a buffer of exactly the right size.

use std::cell::RefCell;

use bytes::Bytes;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Buffers larger than this are given back after use, in bytes.
const KEEP: usize = 1 << 20;

/// Lets `write` fill a buffer that this thread reuses, and copies the result into one exact allocation.
///
/// # Errors
/// What `write` reports.
pub fn encode_exact<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Bytes, E> {
    SCRATCH.with(|cell| {
        // A codec that encodes from inside an encoding finds the buffer taken and gets one of its own.
        let mut buffer = cell
            .try_borrow_mut()
            .map(|mut b| std::mem::take(&mut *b))
            .unwrap_or_default();
        buffer.clear();
        let result = write(&mut buffer).map(|()| Bytes::copy_from_slice(&buffer));
        if buffer.capacity() <= KEEP {
            cell.replace(buffer);
        }
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_encoding_works() {
        let outer = encode_exact(|buffer| {
            let inner = encode_exact(|b| {
                b.extend_from_slice(b"inner");
                Ok::<_, ()>(())
            })?;
            buffer.extend_from_slice(&inner);
            buffer.push(b'!');
            Ok::<_, ()>(())
        });
        assert_eq!(outer, Ok(Bytes::from_static(b"inner!")));
    }
}
