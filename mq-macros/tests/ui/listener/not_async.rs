use mq::prelude::*;

#[stream_listener(input = "greetings")]
fn print(Text(_greeting): Text) {}

fn main() {}
