//! The binders that the program knows.

use mq_testkit::conformance::{MemoryForm, Subject, broker_subject};

use crate::args::Args;

/// How the subject of each case is made, from the address if one is given.
type Make = Box<dyn Fn() -> Subject>;

/// Makes a binder's subjects, from the command line.
type Open = fn(&Args) -> Result<Make, String>;

/// One line for each binder.
const BINDERS: &[(&str, Open)] = &[("memory", memory), ("broker", broker)];

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
pub(crate) fn find(args: &Args) -> Result<Known, String> {
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
    let make = open(args)?;
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
    if args.weak.is_some() {
        return Err("the embedded broker has no weaker form; leave `--weak` out".to_owned());
    }
    Ok(Box::new(broker_subject))
}
