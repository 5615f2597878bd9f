#![doc = include_str!("README.md")]

mod kind;
mod server;
mod options;
mod node;
mod recipe;
mod kafka;
mod kafka_secured;
mod rabbitmq;
mod postgres;
mod mariadb;
mod redis;
mod probe;
mod tools;
mod debian;
mod maven;
mod store;
mod ports;
mod fetch;

pub use fetch::{fetch, is_required};
pub use kafka_secured::Secured;
pub use kind::Kind;
pub use node::Node;
pub use options::ServerOptions;
pub use server::Server;

/// A variable of the environment, unless it is missing, empty or not Unicode.
#[expect(
    clippy::disallowed_methods,
    reason = "where a test finds its servers is no setting of the product"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
