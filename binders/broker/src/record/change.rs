//! Everything but messages that the journal records.

use super::{
    PREFIX, kind,
    read::{Fields, Malformed},
};
use crate::options::{DestinationOptions, Durability, Full, MAX_PARTITIONS};

/// A group's share of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LaneKey {
    pub(crate) destination: u32,
    pub(crate) group: u32,
    pub(crate) partition: u32,
}

/// A change of the state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// The group is done with these runs of positions: first, count.
    Ack {
        lane: LaneKey,
        runs: Vec<(u64, u64)>,
    },
    /// The message is to be handed out again, not before `due` (nanoseconds since the Unix epoch, 0 is at once).
    Release {
        lane: LaneKey,
        position: u64,
        attempts: u32,
        deliveries: u32,
        due: u64,
    },
    /// A consumer keeps the message until `due`.
    Hold {
        lane: LaneKey,
        position: u64,
        attempts: u32,
        due: u64,
    },
    Destination {
        id: u32,
        name: String,
        options: DestinationOptions,
    },
    Delete {
        destination: u32,
    },
    /// `from` has the first position in each partition.
    Group {
        destination: u32,
        id: u32,
        /// Empty where it is anonymous.
        name: String,
        from: Vec<u64>,
    },
    Forget {
        destination: u32,
        group: u32,
    },
    Seek {
        destination: u32,
        group: u32,
        from: Vec<u64>,
    },
    /// Every message below these positions goes.
    Purge {
        destination: u32,
        to: Vec<u64>,
    },
    Handled {
        destination: u32,
        partition: u32,
        position: u64,
    },
    /// What every group has settled below this position is not kept any longer.
    Trim {
        destination: u32,
        partition: u32,
        to: u64,
    },
    Producer {
        id: u64,
        name: String,
    },
}

/// Sorted positions as runs.
pub(crate) fn ranges(positions: &[u64]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for position in positions {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == *position => *count += 1,
            _ => runs.push((*position, 1)),
        }
    }
    runs
}

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
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.buffer.extend_from_slice(&len.to_le_bytes());
        self.buffer.extend_from_slice(text.as_bytes());
        self
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
    /// The position of a lane that is not moved.
    pub(crate) const STAY: u64 = u64::MAX;

    fn kind(&self) -> u8 {
        match self {
            Self::Ack { .. } => kind::ACK,
            Self::Release { .. } => kind::RELEASE,
            Self::Hold { .. } => kind::HOLD,
            Self::Destination { .. } => kind::DESTINATION,
            Self::Delete { .. } => kind::DELETE,
            Self::Group { .. } => kind::GROUP,
            Self::Forget { .. } => kind::FORGET,
            Self::Seek { .. } => kind::SEEK,
            Self::Purge { .. } => kind::PURGE,
            Self::Handled { .. } => kind::HANDLED,
            Self::Trim { .. } => kind::TRIM,
            Self::Producer { .. } => kind::PRODUCER,
        }
    }

    /// Whether it speaks of positions.
    pub(crate) fn has_positions(&self) -> bool {
        match self {
            Self::Destination { .. }
            | Self::Delete { .. }
            | Self::Forget { .. }
            | Self::Producer { .. } => false,
            Self::Ack { .. }
            | Self::Release { .. }
            | Self::Hold { .. }
            | Self::Group { .. }
            | Self::Seek { .. }
            | Self::Purge { .. }
            | Self::Handled { .. }
            | Self::Trim { .. } => true,
        }
    }

    /// Appends the change as a record.
    pub(crate) fn encode<'a>(&self, buffer: &'a mut Vec<u8>) {
        let writer = Writer::new(buffer, self.kind());
        let writer = match self {
            Self::Ack { lane, runs } => {
                let each = |writer: Writer<'a>, (first, count): &(u64, u64)| {
                    writer.u64(*first).u64(*count)
                };
                runs.iter().fold(writer.lane(*lane), each)
            }
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
        };
        writer.end();
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
    })
}

fn durability_code(durability: Durability) -> u32 {
    match durability {
        Durability::Commit => 0,
        Durability::Interval => 1,
        Durability::Os => 2,
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
mod tests {
    use super::*;

    fn every_kind() -> Vec<Change> {
        let mut all = of_lanes();
        all.extend(of_destinations());
        all
    }

    fn of_lanes() -> Vec<Change> {
        let lane = LaneKey {
            destination: 1,
            group: 2,
            partition: 3,
        };
        vec![
            Change::Ack {
                lane,
                runs: vec![(4, 2), (9, 1)],
            },
            Change::Release {
                lane,
                position: 7,
                attempts: 2,
                deliveries: 3,
                due: 99,
            },
            Change::Hold {
                lane,
                position: 7,
                attempts: 2,
                due: 99,
            },
        ]
    }

    fn of_destinations() -> Vec<Change> {
        let (name, from) = ("näme".to_owned(), vec![5, 6]);
        vec![
            Change::Destination {
                id: 9,
                name: name.clone(),
                options: DestinationOptions::default(),
            },
            Change::Delete { destination: 1 },
            Change::Group {
                destination: 1,
                id: 4,
                name: name.clone(),
                from: from.clone(),
            },
            Change::Forget {
                destination: 1,
                group: 4,
            },
            Change::Seek {
                destination: 1,
                group: 4,
                from: from.clone(),
            },
            Change::Purge {
                destination: 1,
                to: from,
            },
            Change::Handled {
                destination: 1,
                partition: 0,
                position: 3,
            },
            Change::Trim {
                destination: 1,
                partition: 0,
                to: 3,
            },
            Change::Producer { id: 3, name },
        ]
    }

    #[test]
    fn changes_come_back_and_cut_ones_are_refused() {
        for change in every_kind() {
            let mut buffer = Vec::new();
            change.encode(&mut buffer);
            assert_eq!(Change::decode(&buffer), Ok(change));
            for len in 0..buffer.len() {
                let _ = Change::decode(&buffer[..len]).is_ok();
            }
        }
    }

    #[test]
    fn positions_become_runs() {
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), [(1, 3), (7, 1), (9, 2)]);
        assert_eq!(ranges(&[]), []);
    }
}
