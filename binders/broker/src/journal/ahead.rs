//! Reading segments ahead, on a thread of its own: while a part is applied, the next ones are read.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use super::window::Part;
use crate::storage::File;

/// Bytes that are read at a time.
pub(super) const BLOCK: usize = 2 << 20;
/// Room before them, for the rest of the part before: most frames are not longer.
pub(super) const HEAD: usize = 4 << 20;
/// Parts that are read and not taken yet.
const DEPTH: usize = 2;

/// Segments to be read, in order: their numbers, and where reading begins in the first of them.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) segments: Vec<(u64, Arc<dyn File>)>,
    pub(super) from: u64,
}

/// What is read ahead.
#[derive(Debug)]
pub(super) struct Ahead {
    parts: Receiver<Part>,
    buffers: SyncSender<Vec<u8>>,
    next: Option<Part>,
}

impl Ahead {
    /// Begins to read; `None` where that is not worth a thread, or there is none to be had.
    pub(super) fn begin(course: Course) -> Option<Self> {
        let sizes = course.segments.iter().map(|(_, file)| file.size());
        let size: u64 = sizes.map(|size| size.unwrap_or(0)).sum();
        if size.saturating_sub(course.from) < (DEPTH * BLOCK) as u64 {
            return None;
        }
        let (sender, parts) = sync_channel(DEPTH);
        let (buffers, used) = sync_channel(DEPTH + 2);
        let builder = thread::Builder::new().name("mq-ahead".to_owned());
        let thread = builder.spawn(move || {
            for (index, (number, file)) in course.segments.iter().enumerate() {
                let from = if index == 0 { course.from } else { 0 };
                if !read((*number, &**file), from, &sender, &used) {
                    return;
                }
            }
        });
        thread.ok().map(|_| Self {
            parts,
            buffers,
            next: None,
        })
    }

    /// The next part, if it is one of this segment; those of segments before it are passed over.
    pub(super) fn peek(&mut self, segment: u64) -> Option<&Part> {
        while self.next.as_ref().is_none_or(|next| next.segment < segment) {
            let part = self.parts.recv().ok()?;
            if let Some(old) = self.next.replace(part) {
                self.give_back(old.buffer);
            }
        }
        self.next.as_ref().filter(|next| next.segment == segment)
    }

    /// Takes the part that was looked at.
    pub(super) fn take(&mut self) -> Option<Part> {
        self.next.take()
    }

    /// A buffer that can be used again.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        if buffer.len() == HEAD + BLOCK {
            // Where there are enough, it goes.
            let _full = self.buffers.try_send(buffer);
        }
    }
}

/// Reads a segment in parts; returns whether anybody wants more.
fn read(
    (segment, file): (u64, &dyn File),
    from: u64,
    sender: &SyncSender<Part>,
    used: &Receiver<Vec<u8>>,
) -> bool {
    let mut at = from / BLOCK as u64 * BLOCK as u64;
    file.will_read();
    loop {
        let used = used.try_recv().ok();
        // Zeros from the operating system: room that is not used takes no memory.
        let mut buffer = used.unwrap_or_else(|| vec![0; HEAD + BLOCK]);
        // Whoever needs what cannot be read will find out.
        let Ok(len) = file.read_at(&mut buffer[HEAD..], at) else {
            return false;
        };
        let part = Part {
            segment,
            start: at,
            buffer,
            from: HEAD,
            to: HEAD + len,
        };
        if len == 0 {
            return true;
        }
        if sender.send(part).is_err() {
            return false;
        }
        if len < BLOCK {
            return true;
        }
        at += len as u64;
    }
}
