//! Running scenarios, each in a process of its own, in turn.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    io::Write,
    process::{Command, Stdio},
};

use crate::{
    Scenario, backlog, callgrind,
    figures::{Figures, note},
};

/// The argument by which the bench knows that it is to run one scenario and nothing else.
const ONE: &str = "--one";

/// Runs what the command line asks for.
pub(crate) fn run(scenarios: &[Scenario]) -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [one, name, messages, ..] = arguments.as_slice()
        && one == ONE
    {
        return run_one(scenarios, name, messages.parse()?);
    }
    if let [counted, backlog, messages, ..] = arguments.as_slice()
        && counted == callgrind::COUNTED
    {
        return backlog::handle(backlog.parse()?, messages.parse()?).map(drop);
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        return try_all(scenarios);
    }
    let wanted: Vec<_> = scenarios
        .iter()
        .filter(|scenario| is_wanted(&arguments, scenario.name))
        .collect();
    let mut figures = Figures::default();
    let rounds = wanted.iter().map(|scenario| scenario.rounds).max();
    for round in 0..rounds.unwrap_or(0) {
        for scenario in wanted.iter().filter(|scenario| round < scenario.rounds) {
            let measured = in_child(scenario)?;
            note(&format!("round {}: {measured:.1?}", round + 1));
            figures.add(measured);
        }
    }
    figures.print();
    Ok(())
}

/// As a test, every scenario that needs no server runs once with few messages and nothing is shown.
fn try_all(scenarios: &[Scenario]) -> Result<(), Box<dyn Error>> {
    for scenario in scenarios.iter().filter(|scenario| !scenario.is_special) {
        let measured = (scenario.run)(scenario.messages.min(2_000))?;
        if measured.iter().any(|(_, figure)| !figure.is_finite()) {
            return Err(format!("{} has measured nothing", scenario.name).into());
        }
    }
    Ok(())
}

fn is_wanted(arguments: &[String], name: &str) -> bool {
    let mut filters = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    filters.peek().is_none() || filters.any(|filter| name.contains(filter.as_str()))
}

fn run_one(scenarios: &[Scenario], name: &str, messages: u64) -> Result<(), Box<dyn Error>> {
    let found = scenarios.iter().find(|scenario| scenario.name == name);
    let found = found.ok_or_else(|| format!("there is no scenario `{name}`"))?;
    let measured: BTreeMap<_, _> = (found.run)(messages)?.into_iter().collect();
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&measured)?)?;
    Ok(())
}

fn in_child(scenario: &Scenario) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
    let output = Command::new(env::current_exe()?)
        .args([ONE, scenario.name, &scenario.messages.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let measured = serde_json::from_str(last);
    measured.map_err(|error| format!("scenario `{}`: {error}", scenario.name).into())
}
