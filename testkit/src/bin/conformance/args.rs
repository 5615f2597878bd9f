//! The command line.

use clap::Parser;

/// Holds a binder to the conformance suite, case by case.
///
/// The exit code is 0 if no case failed, 1 if one did, and 2 if the command line is wrong.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The binder.
    #[arg(long, default_value = "memory")]
    pub(crate) binder: String,
    /// Imitates a weaker broker with the memory binder: `log` (positions, as Kafka), `queue` (single messages without delays and dead
    /// letters, as AMQP), `bare` (publish, subscribe and settle, nothing else; the default). With the embedded broker, the mode of
    /// its groups: `queue`, `exclusive`, `log`.
    #[arg(long, value_name = "FORM", num_args = 0..=1, default_missing_value = "bare")]
    pub(crate) weak: Option<String>,
    /// Where the binder's server is; without it the server is started.
    #[arg(long)]
    pub(crate) address: Option<String>,
    /// Only cases whose `group::name` contains this.
    #[arg(long, default_value = "")]
    pub(crate) filter: String,
    /// How many cases run at once.
    #[arg(long, default_value_t = 8)]
    pub(crate) jobs: usize,
    /// Ends with one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Lists the cases and runs none.
    #[arg(long)]
    pub(crate) list: bool,
}
