//! Runs cargo's test programs and reads what they say.

use std::{
    io::{BufRead, BufReader, PipeReader, pipe},
    process::{Command, Stdio},
};

use serde_json::Value;

use super::transcript::Transcript;
use crate::{Result, cargo::shown};

/// Builds test programs and counts them; what the compiler says goes where our output goes.
///
/// # Errors
/// Where something does not compile.
pub(super) fn build(mut command: Command) -> Result<usize> {
    command.arg("--message-format=json-render-diagnostics");
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start {}: {error}", shown(&command)))?;
    if !output.status.success() {
        return Err(format!("the tests do not compile ({})", output.status).into());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    Ok(messages
        .lines()
        .filter(|line| is_test_program(line))
        .count())
}

fn is_test_program(message: &str) -> bool {
    let Ok(message) = serde_json::from_str::<Value>(message) else {
        return false;
    };
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
