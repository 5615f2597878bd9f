//! Running until a signal, with a log and the policy table on standard error.

use std::io::Write;

use super::{App, Planned, Report, RunningApp};
use crate::outcome::Failure;

impl App {
    /// Checks, starts and runs until Ctrl-C or SIGTERM; then drains and prints the report. A second signal ends at once.
    ///
    /// Installs a human-readable log on standard error if no `tracing` subscriber is set, and prints the policy table there.
    ///
    /// # Errors
    /// Every problem of the settings and the plan at once; or a broker that refuses what the plan needs.
    pub async fn run(self) -> Result<(), Failure> {
        self.build()?.run().await
    }

    /// As [`run`](Self::run), but also ends when every source has ended and nothing is left to handle.
    ///
    /// # Errors
    /// As for [`run`](Self::run), and when a binding fails.
    pub async fn run_to_end(self) -> Result<(), Failure> {
        let running = self.build()?.announced().await?;
        tokio::select! {
            biased;
            () = signal() => stop(running).await,
            done = running.until_idle() => {
                let stopped = stop(running).await;
                done?;
                stopped
            }
        }
    }
}

impl Planned {
    /// Starts and runs until Ctrl-C or SIGTERM; then drains and prints the report. A second signal ends at once.
    ///
    /// # Errors
    /// A broker refuses what the plan needs.
    pub async fn run(self) -> Result<(), Failure> {
        let starting = self.announced();
        let running = tokio::select! {
            biased;
            () = signal() => return Ok(()),
            running = starting => running?,
        };
        signal().await;
        stop(running).await
    }

    async fn announced(self) -> Result<RunningApp, Failure> {
        install_log();
        say(&self.table);
        for warning in self.warnings() {
            say(warning);
        }
        Ok(self.start().await?)
    }
}

async fn stop(running: RunningApp) -> Result<(), Failure> {
    let report: Report = tokio::select! {
        biased;
        report = running.stop() => report?,
        () = signal() => return Err(Failure::retry("ended by a second signal; unsettled messages will be delivered again")),
    };
    say(&report);
    Ok(())
}

/// Standard error may be closed; that is no reason to fail.
fn say(text: &impl std::fmt::Display) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

#[cfg(feature = "log")]
fn install_log() {
    drop(
        tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_max_level(tracing::Level::WARN)
            .try_init(),
    );
}

#[cfg(not(feature = "log"))]
fn install_log() {}

/// Ctrl-C, or SIGTERM where there is one. Without signals (a failure to listen) it never returns.
async fn signal() {
    tokio::select! {
        () = interrupted() => {}
        () = terminated() => {}
    }
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
