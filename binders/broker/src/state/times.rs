//! When messages were stored, in a snapshot: what follows from the time before is left out.

use mq_core::binder::varint::put as write;

use super::{
    index::{PACKED, read_number as read},
    log::Times,
};
use crate::record::{Fields, Malformed};

/// Appends when messages were stored.
pub(super) fn write_times(times: &Times, out: &mut Vec<u8>) {
    out.extend_from_slice(&(times.len() as u64 | PACKED).to_le_bytes());
    let mut last = (0, 0);
    for time in times {
        write(out, time.0.wrapping_sub(last.0));
        write(out, time.1.wrapping_sub(last.1));
        last = *time;
    }
}

/// Reads when messages were stored.
pub(super) fn read_times(input: &mut Fields<'_>) -> Result<Times, Malformed> {
    let count = input.u64()?;
    let mut times = Times::new();
    let mut last = (0_u64, 0_u64);
    for _ in 0..count & !PACKED {
        last = if count & PACKED == 0 {
            (input.u64()?, input.u64()?)
        } else {
            (
                last.0.wrapping_add(read(input)?),
                last.1.wrapping_add(read(input)?),
            )
        };
        times.push_back(last);
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_time_comes_back(all in prop::collection::vec(any::<(u64, u64)>(), 0..50)) {
            let times: Times = all.into();
            let mut bytes = Vec::new();
            write_times(&times, &mut bytes);
            prop_assert_eq!(read_times(&mut Fields(&bytes)), Ok(times));
        }
    }
}
