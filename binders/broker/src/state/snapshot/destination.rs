//! A destination and its groups in a snapshot.

use super::{Writer, change};
use crate::{
    options::GroupMode,
    record::{Change, Fields, Malformed, mode, mode_code},
    state::{
        destination::{Destination, Group},
        lane::Lane,
        log::{Entry, Log},
    },
};

impl Destination {
    pub(super) fn write(&self, now: u64, out: &mut Writer) {
        let change = Change::Destination {
            id: self.route.id,
            name: self.route.name.to_string(),
            options: self.route.options.clone(),
        };
        change.encode(&mut out.0);
        // What is in memory is in no snapshot.
        let empty: Vec<Log> = match self.is_in_memory() {
            true => self.logs.iter().map(|_| Log::default()).collect(),
            false => Vec::new(),
        };
        let logs = if empty.is_empty() { &self.logs } else { &empty };
        logs.iter().for_each(|log| log.write(now, out));
        out.u32(self.next_group);
        out.len(self.groups.len());
        for (id, group) in &self.groups {
            let change = Change::Group {
                destination: self.route.id,
                id: *id,
                name: group.name.to_string(),
                from: Vec::new(),
            };
            change.encode(&mut out.0);
            out.u32(mode_code(group.mode));
            for (lane, log) in group.lanes.iter().zip(logs) {
                if empty.is_empty() {
                    lane.write(log, out);
                } else {
                    Lane::starting_at(0, group.mode).write(log, out);
                }
            }
        }
    }

    /// Reads what follows the options; calls `each` with every entry that others follow from, and how many.
    pub(super) fn read(
        &mut self,
        format: u8,
        input: &mut Fields<'_>,
        mut each: impl FnMut(&Entry, u64),
    ) -> Result<(), Malformed> {
        let stored = &mut self.stored;
        for log in &mut self.logs {
            log.read(format, input, |entry, count| {
                each(entry, count);
                if !entry.is(Entry::DONE) {
                    stored.messages += count;
                    stored.bytes += count * u64::from(entry.len);
                }
            })?;
        }
        let next = input.u32()?;
        for _ in 0..input.u64()? {
            let Change::Group { id, name, .. } = change(input)? else {
                return Err(Malformed("a group is missing"));
            };
            let mode = match format {
                1 => GroupMode::default(),
                _ => mode(input.u32()?)?,
            };
            let lanes = self
                .logs
                .iter()
                .map(|log| Lane::read(format, mode, log, input));
            let group = Group {
                name: name.into(),
                lanes: lanes.collect::<Result<_, _>>()?,
                members: Vec::new(),
                mode,
            };
            self.groups.insert(id, group);
        }
        self.next_group = next;
        Ok(())
    }
}
