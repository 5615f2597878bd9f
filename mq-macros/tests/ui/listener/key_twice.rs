use mq::prelude::*;

#[stream_listener(input = "greetings", timeout = "1s", timeout = "2s")]
async fn print(Text(_greeting): Text) {}

fn main() {}
