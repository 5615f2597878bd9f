use mq::prelude::*;

#[stream_listener(input = "lines")]
async fn index(_lines: Batch<Text>) {}

fn main() {}
