use mq::prelude::*;

#[stream_source(output = "greetings", every = "1s")]
fn greet() -> Text {
    Text("hello".into())
}

fn main() {}
