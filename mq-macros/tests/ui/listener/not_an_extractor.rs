use mq::prelude::*;

#[stream_listener(input = "greetings")]
async fn print(Text(_greeting): Text, _loud: bool) {}

fn main() {}
