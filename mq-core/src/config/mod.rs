//! Settings: where they come from, and what they say.
//!
//! [`Config`] collects the sources, in rising precedence: attributes of functions, `mq.toml` (or YAML), the files of
//! the profiles, the environment, and the code. [`Config::settings`] merges them and decodes them strictly into
//! [`Settings`]; everything that is wrong is reported at once as [`Problems`], each with its path, its place and a
//! way to fix it.
//!
//! Only this module reads files and the environment.

mod sources;

mod settings;

mod origin;
mod path;
mod value;

mod node;

mod problem;
mod secret;

mod decode;
mod document;
mod environment;
mod explain;
mod files;
mod ledger;
mod merge;
mod nearest;
mod resolve;
mod toml;
mod yaml;

pub use explain::{Explained, Explanation};
pub use nearest::nearest;
pub use node::Node;
pub use origin::Origin;
pub use path::{KeyPath, Segment};
pub use problem::{Problem, Problems, Warning};
pub use secret::Secret;
pub use settings::{
    AppSettings, BinderSettings, BindingSettings, ConsumerSettings, ProducerSettings, Settings,
    StoreSettings,
};
pub use sources::Config;
pub use value::Value;
