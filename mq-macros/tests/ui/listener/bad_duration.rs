use mq::prelude::*;

#[stream_listener(input = "greetings", timeout = "10 parsecs")]
async fn print(Text(_greeting): Text) {}

fn main() {}
