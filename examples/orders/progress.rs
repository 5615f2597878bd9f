//! A bar on the standard error while the input is read, where that is a terminal.

use std::io::{self, IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How the size of the input is to be shown.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// As KiB and MiB.
    Bytes,
    /// As plain counts.
    Invoices,
}

/// The bar; nothing where the standard error is a file or a pipe.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// An empty bar for an input of that size.
    pub(crate) fn new(size: u64, unit: Unit) -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bar: ProgressBar::with_draw_target(Some(size), target).with_style(style(unit)),
        }
    }

    /// Moves the bar to how much of the size is done with.
    pub(crate) fn at(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Writes a line to the standard error without breaking the bar. Where nobody can read it, it is lost.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| drop(writeln!(io::stderr(), "{line}")));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(unit: Unit) -> ProgressStyle {
    let template = match unit {
        Unit::Bytes => "{bar:40} {bytes}/{total_bytes}, {eta} left",
        Unit::Invoices => "{bar:40} {human_pos}/{human_len} invoices, {eta} left",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for unit in [Unit::Bytes, Unit::Invoices] {
            drop(style(unit));
        }
        assert!(ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}, {eta} left").is_ok());
    }

    #[test]
    fn more_than_the_whole_is_no_reason_to_panic() {
        let progress = Progress::new(0, Unit::Bytes);
        progress.at(u64::MAX);
        progress.finish();
    }
}
