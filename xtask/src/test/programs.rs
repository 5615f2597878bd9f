//! Runs cargo's test programs and reads what they say.

use std::{
    io::{BufRead, BufReader, PipeReader, pipe},
    process::{Command, Stdio},
};

use serde_json::Value;

use super::transcript::Transcript;
use crate::{Result, cargo::shown};

/// Builds test programs and counts them.
///
/// # Errors
/// Where something does not compile.
pub(super) fn build(command: Command) -> Result<usize> {
    let messages = messages(command)?;
    Ok(messages
        .iter()
        .filter(|message| is_test_program(message))
        .count())
}

/// Builds programs, and says where the one with this name is.
///
/// # Errors
/// Where something does not compile, or there is no such program.
pub(super) fn build_one(command: Command, name: &str) -> Result<String> {
    let messages = messages(command)?;
    let mut programs = messages
        .iter()
        .filter(|message| message["target"]["name"] == name);
    let path = programs.find_map(|message| message["executable"].as_str());
    path.map(str::to_owned)
        .ok_or_else(|| format!("there is no program `{name}` in the workspace").into())
}

/// What cargo says of a build; what the compiler says goes where our output goes.
fn messages(mut command: Command) -> Result<Vec<Value>> {
    command.arg("--message-format=json-render-diagnostics");
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start {}: {error}", shown(&command)))?;
    if !output.status.success() {
        let what = format!("{} has failed ({})", shown(&command), output.status);
        return Err(what.into());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    Ok(messages.collect())
}

fn is_test_program(message: &Value) -> bool {
    message["executable"].is_string() && message["profile"]["test"] == true
}

/// Runs `cargo test`, shows what it says as it comes, and records it.
///
/// # Errors
/// Where it cannot be started or read; failing tests are in the transcript.
pub(super) fn follow(mut command: Command, transcript: &mut Transcript) -> Result {
    // One pipe for both, so that lines stay in their order.
    let (output, input) = pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(input.try_clone()?)
        .stderr(input);
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", shown(&command)))?;
    // The command owns the pipe's other end: it must close for the reading to end.
    drop(command);
    read(output, transcript)?;
    transcript.ended(child.wait()?.success());
    Ok(())
}

fn read(output: PipeReader, transcript: &mut Transcript) -> Result {
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        if let Some(line) = transcript.line(&String::from_utf8_lossy(&line)) {
            println!("{line}");
        }
    }
    Ok(())
}
