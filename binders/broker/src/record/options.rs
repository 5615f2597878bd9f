//! What a destination is like, in records.

use std::time::Duration;

use super::read::{Fields, Malformed};
use crate::options::{DestinationOptions, Durability, Expired, Full, MAX_PARTITIONS};

/// Appends what a destination is like.
pub(super) fn write(buffer: &mut Vec<u8>, options: &DestinationOptions) {
    let mut u32 = |number: u32| buffer.extend_from_slice(&number.to_le_bytes());
    u32(options.partitions);
    u32(durability_code(options.durability));
    u32(full_code(options.full));
    for number in [options.max_messages, options.max_bytes, options.retain] {
        buffer.extend_from_slice(&number.to_le_bytes());
    }
    let mut u32 = |number: u32| buffer.extend_from_slice(&number.to_le_bytes());
    u32(options.max_attempts);
    u32(options.max_crashes);
    u32(expired_code(options.expired));
    buffer.extend_from_slice(&age_code(options.max_age).to_le_bytes());
}

/// Reads what a destination is like.
pub(super) fn read(fields: &mut Fields<'_>) -> Result<DestinationOptions, Malformed> {
    let partitions = fields.u32()?;
    if !(1..=MAX_PARTITIONS).contains(&partitions) {
        return Err(Malformed("a destination has too many partitions, or none"));
    }
    Ok(DestinationOptions {
        partitions,
        durability: match fields.u32()? {
            0 => Durability::Commit,
            1 => Durability::Interval,
            2 => Durability::Os,
            3 => Durability::Memory,
            _ => return Err(Malformed("a durability is of a later version")),
        },
        full: match fields.u32()? {
            0 => Full::Block,
            1 => Full::Reject,
            2 => Full::DropOldest,
            _ => return Err(Malformed("a policy is of a later version")),
        },
        max_messages: fields.u64()?,
        max_bytes: fields.u64()?,
        retain: fields.u64()?,
        ..later_options(fields)?
    })
}

/// What earlier formats did not have.
fn later_options(fields: &mut Fields<'_>) -> Result<DestinationOptions, Malformed> {
    let mut options = DestinationOptions::default();
    if !fields.is_empty() {
        options.max_attempts = fields.u32()?;
        options.max_crashes = fields.u32()?;
        options.expired = match fields.u32()? {
            0 => Expired::HandOut,
            1 => Expired::Drop,
            2 => Expired::DeadLetter,
            _ => return Err(Malformed("a policy is of a later version")),
        };
    }
    if !fields.is_empty() {
        let age = fields.u64()?;
        options.max_age = (age != NO_AGE).then(|| Duration::from_nanos(age));
    }
    Ok(options)
}

fn full_code(full: Full) -> u32 {
    match full {
        Full::Block => 0,
        Full::Reject => 1,
        Full::DropOldest => 2,
    }
}

fn durability_code(durability: Durability) -> u32 {
    match durability {
        Durability::Commit => 0,
        Durability::Interval => 1,
        Durability::Os => 2,
        Durability::Memory => 3,
    }
}

fn expired_code(expired: Expired) -> u32 {
    match expired {
        Expired::HandOut => 0,
        Expired::Drop => 1,
        Expired::DeadLetter => 2,
    }
}

/// Without a limit by age.
const NO_AGE: u64 = u64::MAX;

fn age_code(age: Option<Duration>) -> u64 {
    age.map_or(NO_AGE, |age| {
        u64::try_from(age.as_nanos()).unwrap_or(NO_AGE)
    })
}
