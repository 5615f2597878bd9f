use mq::prelude::*;
use std::rc::Rc;

async fn wait() {}

#[stream_listener(input = "greetings")]
async fn print(Text(greeting): Text) {
    let greeting = Rc::new(greeting);
    wait().await;
    drop(greeting);
}

fn main() {}
