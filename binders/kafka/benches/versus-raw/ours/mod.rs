//! The same work through the framework, with everything on that is on by default.

mod consume;
mod publish;

pub(crate) use consume::{consume, transform};
pub(crate) use publish::publish;

use mq_core::{app::App, config::Config};
use mq_kafka::FACTORY;
use tokio::runtime::{Builder, Runtime};

use crate::{Outcome, job::Job};

/// An application as a service has it; the binder is made from settings.
fn app(job: &Job) -> App {
    let config = Config::empty()
        .set("app.name", "bench")
        .set("binders.main.kind", "kafka")
        .set("binders.main.servers", job.servers.as_str())
        .set("bindings.input.destination", job.input.as_str())
        .set("bindings.input.group", job.group.as_str())
        .set("bindings.output.destination", job.output.as_str());
    App::builder().config(config).binder_kind(FACTORY)
}

/// The runtime of a service with two threads.
fn runtime() -> Outcome<Runtime> {
    let mut runtime = Builder::new_multi_thread();
    Ok(runtime.worker_threads(2).enable_all().build()?)
}
