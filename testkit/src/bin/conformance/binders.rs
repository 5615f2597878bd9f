//! The binders that the program knows.

use std::{
    future::{Future, ready},
    pin::Pin,
};

use mq_broker::GroupMode;
use mq_testkit::conformance::{
    MemoryForm, Subject, broker_subject_as, kafka_subject, kafka_subject_at,
};

use crate::args::Args;

/// Makes the subject of each case. Whatever it holds, a server for example, lives as long as the run.
type Make = Box<dyn Fn() -> Subject>;

type Opening = Pin<Box<dyn Future<Output = Result<Make, String>>>>;

/// Makes a binder ready: reads its part of the command line, and starts the server that it needs unless there is an address.
type Open = fn(&Args) -> Opening;

/// One line for each binder.
const BINDERS: &[(&str, Open)] = &[
    ("memory", |args| Box::pin(ready(memory(args)))),
    ("broker", |args| Box::pin(ready(broker(args)))),
    ("kafka", |args| Box::pin(ready(kafka(args)))),
];

/// A binder to be held to the suite.
pub(crate) struct Known {
    pub(crate) name: String,
    make: Make,
}

impl Known {
    /// A subject for one case.
    pub(crate) fn subject(&self) -> Subject {
        (self.make)()
    }
}

/// The binder that the command line names.
pub(crate) async fn find(args: &Args) -> Result<Known, String> {
    let Some((name, open)) = BINDERS.iter().find(|(name, _)| *name == args.binder) else {
        let names: Vec<_> = BINDERS.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "there is no binder `{}`; there are {}",
            args.binder,
            names.join(", ")
        ));
    };
    let name = match &args.weak {
        Some(form) => format!("{name} --weak {form}"),
        None => (*name).to_owned(),
    };
    let make = open(args).await?;
    Ok(Known { name, make })
}

/// A broker of its own for each case, in this process.
fn memory(args: &Args) -> Result<Make, String> {
    if args.address.is_some() {
        return Err("the memory binder has no address; leave `--address` out".to_owned());
    }
    let name = args.weak.as_deref().unwrap_or("strong");
    let mut forms = MemoryForm::ALL.iter();
    let Some((_, form)) = forms.find(|(known, _)| *known == name) else {
        let names: Vec<_> = MemoryForm::ALL.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        return Err(format!("there is no form `{name}`; there are {names}"));
    };
    Ok(Box::new(|| form.subject()))
}

/// A folder of its own for each case.
fn broker(args: &Args) -> Result<Make, String> {
    if args.address.is_some() {
        return Err("the embedded broker has no address; leave `--address` out".to_owned());
    }
    let mode = match args.weak.as_deref() {
        None => GroupMode::Key,
        Some("queue") => GroupMode::Queue,
        Some("exclusive") => GroupMode::Exclusive,
        Some("log") => GroupMode::Log,
        Some(other) => {
            let text = format!(
                "groups of the embedded broker have no mode `{other}`; there are queue, exclusive, log"
            );
            return Err(text);
        }
    };
    Ok(Box::new(move || broker_subject_as(mode)))
}

/// A broker for all cases: one that is started, or the one at the address.
fn kafka(args: &Args) -> Result<Make, String> {
    if args.weak.is_some() {
        return Err("Kafka has no weaker form; leave `--weak` out".to_owned());
    }
    match args.address.clone() {
        Some(address) => Ok(Box::new(move || kafka_subject_at(&address))),
        None => Ok(Box::new(kafka_subject)),
    }
}
