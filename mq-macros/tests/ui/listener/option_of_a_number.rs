use mq::prelude::*;

#[stream_listener(input = "greetings", output = "lengths")]
async fn measure(Text(greeting): Text) -> Option<usize> {
    Some(greeting.len())
}

fn main() {}
