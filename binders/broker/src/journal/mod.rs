//! The journal: the only truth; everything else is a function of it.

mod ahead;
pub(crate) mod frame;
mod maker;
mod pool;
mod reader;
mod segment;
mod segments;
mod window;
mod writer;

pub(crate) use maker::Maker;
pub(crate) use pool::Pool;
pub(crate) use reader::{Damage, Reader, Scanned, holds_frames};
pub(crate) use segment::{Found, SEGMENT_HEADER, SegmentHeader, name, number_of};
pub(crate) use segments::Segments;
pub(crate) use writer::{Stamp, Writer};
