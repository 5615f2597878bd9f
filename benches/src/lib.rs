//! What the benches share: a binder that only hands over, counting of instructions and allocations, and the closing line.

pub mod feed;
pub mod figures;
pub mod measure;
