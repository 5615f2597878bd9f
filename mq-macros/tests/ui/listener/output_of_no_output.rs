use mq::prelude::*;

#[stream_listener(input = "greetings")]
async fn print(#[output("answers")] Text(_greeting): Text) {}

fn main() {}
