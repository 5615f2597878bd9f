use mq::prelude::*;

#[derive(Debug, thiserror::Error, Failure)]
#[error("no rate for {0}")]
struct UnknownCountry(std::rc::Rc<str>);

fn main() {}
