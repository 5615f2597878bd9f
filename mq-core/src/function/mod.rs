//! Sources, processors and sinks: types instead of attributes, and what the attributes expand to.

mod emit;
mod sink;
mod source;
mod source_functions;

pub use futures_core::Stream;

pub use emit::{Emit, Emitted};
pub use sink::{IntoProcessor, IntoSink, Processor, Sink};
pub use source::{IntoSource, Source, SourceBody, SourceListener, SourceTask};
pub use source_functions::{PeriodicFunction, StreamFunction, every};
