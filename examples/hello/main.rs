//! The first service: a source says hello every second, a listener prints it.
//!
//! ```text
//! cargo run --example hello
//! ```
//!
//! There is no settings file, and nothing to install: without a binder in the settings, both ends meet in the embedded broker, in the
//! folder `mq-data` of the working directory.
//! Ctrl-C stops it: what is in flight finishes, and a report says so.

#![expect(clippy::print_stdout, reason = "printing is what this service is for")]

use mq::prelude::*;

#[stream_source(output = "greetings", every = "1s")]
async fn greet() -> Text {
    Text("hello".into())
}

#[stream_listener(input = "greetings")]
async fn print(Text(greeting): Text) {
    println!("{greeting}");
}

#[tokio::main]
async fn main() -> mq::Result<()> {
    App::new().run().await
}
