use mq::prelude::*;

#[stream_listener(concurrency = 4)]
async fn print(Text(_greeting): Text) {}

fn main() {}
