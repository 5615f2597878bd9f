use mq::prelude::*;

#[stream_listener(input = "greetings", concurency = 4)]
async fn print(Text(_greeting): Text) {}

fn main() {}
