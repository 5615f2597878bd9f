//! Settings: where they come from, and what they say.

mod node;
mod origin;
mod path;
mod settings;

pub use node::{Node, Value};
pub use origin::Origin;
pub use path::{KeyPath, Segment};
pub use settings::{
    AppSettings, BinderSettings, BindingSettings, ConsumerSettings, ProducerSettings, Settings,
    StoreSettings,
};
