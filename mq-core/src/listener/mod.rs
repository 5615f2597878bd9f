//! Listeners: functions on input bindings, and what the framework knows of them.

mod body;
mod call;
mod collected;
mod described;
mod descriptor;
mod functions;
mod layers;
mod outcomes;
mod returned;

pub use body::{Body, BuildOptions, Ready, Style};
pub use collected::Replies;
pub(crate) use described::described;
pub use descriptor::{Listener, Location};
pub use functions::{BatchFunction, ListenerFunction};
pub use layers::{LayerOf, UserLayer, UserLayers, only_batch, only_single};
pub use outcomes::{ANY_OUTPUTS, BatchReturned, Outcomes};
pub use returned::{Each, Encode, IntoMessage, Keyed, Reply, Returned, WithHeaders};
