use mq::prelude::*;

#[stream_listener(input = "greetings", output = "answers")]
async fn print(Text(_greeting): Text) {}

fn main() {}
