use mq::prelude::*;

#[stream_listener(input = "greetings")]
async fn print(Text(_greeting): Text, #[output] _answers: Output<str>) {}

fn main() {}
