//! The machine's own limit: the same bytes written and synced, and nothing else.

use std::{fs::File, io, os::unix::fs::FileExt, time::Instant};

use crate::{Measured, folder::folder};

/// Bytes of a segment of the journal.
const SEGMENT: u64 = 64 << 20;
/// What 1,000 messages of 256 bytes take in the journal: a head for each of them, and one for the frame.
const BATCH: u64 = 1_000 * (256 + 80) + 64;

/// 1,000 messages at a time on a file whose blocks exist.
pub(crate) fn limit(messages: u64) -> Measured {
    let batches = messages.div_ceil(1_000);
    let times = write(batches, BATCH)?;
    let rate = (batches * 1_000) as f64 / times.iter().sum::<f64>() * 1e6;
    Ok(vec![("disk_limit_256", rate)])
}

/// Microseconds of writing and syncing one small frame, in order of size.
pub(crate) fn sync_times(count: u64) -> io::Result<Vec<f64>> {
    let mut times = write(count, 448)?;
    times.sort_unstable_by(f64::total_cmp);
    Ok(times)
}

/// Writes and syncs so often; returns the microseconds of each.
fn write(count: u64, bytes: u64) -> io::Result<Vec<f64>> {
    let folder = folder()?;
    let file = File::create_new(folder.path().join("recycled"))?;
    let zeros = vec![0; 1 << 20];
    for at in (0..SEGMENT).step_by(zeros.len()) {
        file.write_all_at(&zeros, at)?;
    }
    file.sync_all()?;
    let block = vec![7; usize::try_from(bytes).unwrap_or_default()];
    let room = SEGMENT / bytes;
    let times = (0..count).map(|number| {
        let begin = Instant::now();
        file.write_all_at(&block, number % room * bytes)?;
        file.sync_data()?;
        Ok(begin.elapsed().as_secs_f64() * 1e6)
    });
    times.collect()
}
