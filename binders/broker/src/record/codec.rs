//! Changes as records, and back.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Change, LaneKey, PREFIX, kind,
    read::{Fields, Malformed},
};
use crate::options::{DestinationOptions, Durability, Expired, Full, GroupMode, MAX_PARTITIONS};

/// Writes fields behind a prefix, and its length at the end.
struct Writer<'a> {
    buffer: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    fn new(buffer: &'a mut Vec<u8>, kind: u8) -> Self {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; PREFIX - 1]);
        buffer.push(kind);
        Self { buffer, start }
    }

    fn u32(self, number: u32) -> Self {
        self.buffer.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn u64(self, number: u64) -> Self {
        self.buffer.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn lane(self, lane: LaneKey) -> Self {
        self.u32(lane.destination)
            .u32(lane.group)
            .u32(lane.partition)
    }

    fn options(self, options: &DestinationOptions) -> Self {
        self.u32(options.partitions)
            .u32(durability_code(options.durability))
            .u32(full_code(options.full))
            .u64(options.max_messages)
            .u64(options.max_bytes)
            .u64(options.retain)
            .u32(options.max_attempts)
            .u32(options.max_crashes)
            .u32(expired_code(options.expired))
            .u64(age_code(options.max_age))
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.buffer.extend_from_slice(&len.to_le_bytes());
        self.buffer.extend_from_slice(bytes);
        self
    }

    fn runs(self, runs: &[(u64, u64)]) -> Self {
        let each = |writer: Self, (first, count): &(u64, u64)| writer.u64(*first).u64(*count);
        runs.iter().fold(self, each)
    }

    fn all(self, numbers: &[u64]) -> Self {
        numbers
            .iter()
            .fold(self, |writer, number| writer.u64(*number))
    }

    fn end(self) {
        let len = u32::try_from(self.buffer.len() - self.start).unwrap_or(u32::MAX);
        self.buffer[self.start..self.start + 4].copy_from_slice(&len.to_le_bytes());
    }
}

impl Change {
    /// Appends the change as a record.
    pub(crate) fn encode(&self, buffer: &mut Vec<u8>) {
        let writer = Writer::new(buffer, self.kind());
        let writer = match self {
            Self::Ack { lane, runs } => writer.lane(*lane).runs(runs),
            Self::Release {
                lane,
                position,
                attempts,
                deliveries,
                due,
            } => writer
                .lane(*lane)
                .u64(*position)
                .u32(*attempts)
                .u32(*deliveries)
                .u64(*due),
            Self::Hold {
                lane,
                position,
                attempts,
                due,
            } => writer.lane(*lane).u64(*position).u32(*attempts).u64(*due),
            Self::Destination { id, name, options } => writer.u32(*id).text(name).options(options),
            Self::Delete { destination } => writer.u32(*destination),
            Self::Group {
                destination,
                id,
                name,
                from,
            } => writer.u32(*destination).u32(*id).text(name).all(from),
            Self::Forget { destination, group } => writer.u32(*destination).u32(*group),
            Self::Seek {
                destination,
                group,
                from,
            } => writer.u32(*destination).u32(*group).all(from),
            Self::Purge { destination, to } => writer.u32(*destination).all(to),
            Self::Handled {
                destination,
                partition,
                position,
            } => writer.u32(*destination).u32(*partition).u64(*position),
            Self::Trim {
                destination,
                partition,
                to,
            } => writer.u32(*destination).u32(*partition).u64(*to),
            Self::Producer { id, name } => writer.u64(*id).text(name),
            other => other.encode_rest(writer),
        };
        writer.end();
    }

    /// What the second format has added.
    fn encode_rest<'a>(&self, writer: Writer<'a>) -> Writer<'a> {
        match self {
            Self::Mode {
                destination,
                group,
                mode,
            } => writer.u32(*destination).u32(*group).u32(mode_code(*mode)),
            Self::Commit {
                lane,
                position,
                moves,
                saved,
            } => {
                let writer = writer.lane(*lane).u64(*position).u32(*moves);
                saved
                    .iter()
                    .fold(writer, |writer, saved| writer.bytes(saved))
            }
            Self::Options { id, options } => writer.u32(*id).options(options),
            Self::Start { lane, runs } => writer.lane(*lane).runs(runs),
            Self::Ended { crashed } => writer.u32(u32::from(*crashed)),
            Self::Expire {
                destination,
                partition,
                runs,
            } => writer.u32(*destination).u32(*partition).runs(runs),
            Self::Epoch { id, epoch } => writer.u64(*id).u32(*epoch),
            _ => writer,
        }
    }

    /// Reads what concerns messages that a group has.
    fn of_lane(kind: u8, f: &mut Fields<'_>) -> Result<Self, Malformed> {
        Ok(match kind {
            kind::ACK => Self::Ack {
                lane: lane(f)?,
                runs: pairs(f)?,
            },
            kind::RELEASE => Self::Release {
                lane: lane(f)?,
                position: f.u64()?,
                attempts: f.u32()?,
                deliveries: f.u32()?,
                due: f.u64()?,
            },
            _ => Self::Hold {
                lane: lane(f)?,
                position: f.u64()?,
                attempts: f.u32()?,
                due: f.u64()?,
            },
        })
    }

    /// Reads a record that is no message.
    pub(crate) fn decode(record: &[u8]) -> Result<Self, Malformed> {
        let kind = *record
            .get(PREFIX - 1)
            .ok_or(Malformed("a record has no kind"))?;
        let mut fields = Fields(&record[PREFIX..]);
        let f = &mut fields;
        Ok(match kind {
            kind::ACK | kind::RELEASE | kind::HOLD => return Self::of_lane(kind, f),
            kind::DESTINATION => Self::Destination {
                id: f.u32()?,
                name: f.text()?.to_owned(),
                options: options(f)?,
            },
            kind::DELETE => Self::Delete {
                destination: f.u32()?,
            },
            kind::GROUP => Self::Group {
                destination: f.u32()?,
                id: f.u32()?,
                name: f.text()?.to_owned(),
                from: rest(f)?,
            },
            kind::FORGET => Self::Forget {
                destination: f.u32()?,
                group: f.u32()?,
            },
            kind::SEEK => Self::Seek {
                destination: f.u32()?,
                group: f.u32()?,
                from: rest(f)?,
            },
            kind::PURGE => Self::Purge {
                destination: f.u32()?,
                to: rest(f)?,
            },
            kind::HANDLED => Self::Handled {
                destination: f.u32()?,
                partition: f.u32()?,
                position: f.u64()?,
            },
            kind::TRIM => Self::Trim {
                destination: f.u32()?,
                partition: f.u32()?,
                to: f.u64()?,
            },
            kind::PRODUCER => Self::Producer {
                id: f.u64()?,
                name: f.text()?.to_owned(),
            },
            _ => return Self::decode_rest(kind, f),
        })
    }

    /// What the second format has added.
    fn decode_rest(kind: u8, f: &mut Fields<'_>) -> Result<Self, Malformed> {
        Ok(match kind {
            kind::MODE => Self::Mode {
                destination: f.u32()?,
                group: f.u32()?,
                mode: mode(f.u32()?)?,
            },
            kind::COMMIT => Self::Commit {
                lane: lane(f)?,
                position: f.u64()?,
                moves: f.u32()?,
                saved: match f.is_empty() {
                    true => None,
                    false => Some(Bytes::copy_from_slice(f.long()?)),
                },
            },
            kind::OPTIONS => Self::Options {
                id: f.u32()?,
                options: options(f)?,
            },
            kind::BOOT => Self::Boot,
            kind::START => Self::Start {
                lane: lane(f)?,
                runs: pairs(f)?,
            },
            kind::ENDED => Self::Ended {
                crashed: f.u32()? != 0,
            },
            kind::EXPIRE => Self::Expire {
                destination: f.u32()?,
                partition: f.u32()?,
                runs: pairs(f)?,
            },
            kind::EPOCH => Self::Epoch {
                id: f.u64()?,
                epoch: f.u32()?,
            },
            _ => return Err(Malformed("a record is of a later version")),
        })
    }
}

fn lane(fields: &mut Fields<'_>) -> Result<LaneKey, Malformed> {
    Ok(LaneKey {
        destination: fields.u32()?,
        group: fields.u32()?,
        partition: fields.u32()?,
    })
}

fn pairs(fields: &mut Fields<'_>) -> Result<Vec<(u64, u64)>, Malformed> {
    let mut pairs = Vec::new();
    while !fields.is_empty() {
        pairs.push((fields.u64()?, fields.u64()?));
    }
    Ok(pairs)
}

fn rest(fields: &mut Fields<'_>) -> Result<Vec<u64>, Malformed> {
    let mut rest = Vec::new();
    while !fields.is_empty() {
        rest.push(fields.u64()?);
    }
    Ok(rest)
}

fn options(fields: &mut Fields<'_>) -> Result<DestinationOptions, Malformed> {
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

pub(crate) fn mode_code(mode: GroupMode) -> u32 {
    match mode {
        GroupMode::Key => 0,
        GroupMode::Queue => 1,
        GroupMode::Exclusive => 2,
        GroupMode::Log => 3,
    }
}

pub(crate) fn mode(code: u32) -> Result<GroupMode, Malformed> {
    match code {
        0 => Ok(GroupMode::Key),
        1 => Ok(GroupMode::Queue),
        2 => Ok(GroupMode::Exclusive),
        3 => Ok(GroupMode::Log),
        _ => Err(Malformed("a group is of a later version")),
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

fn durability_code(durability: Durability) -> u32 {
    match durability {
        Durability::Commit => 0,
        Durability::Interval => 1,
        Durability::Os => 2,
        Durability::Memory => 3,
    }
}

fn full_code(full: Full) -> u32 {
    match full {
        Full::Block => 0,
        Full::Reject => 1,
        Full::DropOldest => 2,
    }
}

#[cfg(test)]
mod tests;
