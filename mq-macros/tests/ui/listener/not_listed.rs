use mq::prelude::*;

async fn print(Text(_greeting): Text) {}

fn main() {
    let _listener = mq::listener_of!(print);
}
