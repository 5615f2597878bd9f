use mq::prelude::*;

#[stream_listener(input = "greetings", concurrency = "4")]
async fn print(Text(_greeting): Text) {}

fn main() {}
