use mq::prelude::*;

#[stream_source(output = "greetings")]
fn greet() -> Vec<Text> {
    Vec::new()
}

fn main() {}
