use mq::prelude::*;

#[stream_listener(input = "greetings")]
async fn count(Text(greeting): Text) -> usize {
    greeting.len()
}

fn main() {}
