//! What can be said on the command line.

use std::path::PathBuf;

use clap::Parser;

/// Turns a shop's line items into invoices and refunds, and keeps the ledger by country
///
/// Reads a folder of CSV files, publishes one order per invoice, routes cancellations to the refunds and the rest to the invoices, and
/// prints the ledger. Rows that cannot be read are reported on the standard error with file and line, counted, and left out.
#[derive(Debug, Parser)]
#[command(name = "orders")]
pub(crate) struct Args {
    /// Folder of CSV files, each with a header and one line item a row
    ///
    /// The header is `InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country`.
    /// Files are read in the order of their names. Without a folder, orders of the same kind are generated.
    #[arg(long, value_name = "DIR")]
    pub(crate) input: Option<PathBuf>,

    /// How many invoices to generate where there is no --input; about 20 lines each
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1000,
        conflicts_with = "input"
    )]
    pub(crate) invoices: u64,

    /// Folder of the embedded broker; after a crash, the same command goes on where it was
    ///
    /// Without it, a fresh folder is used and removed at the end.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub(crate) data: Option<PathBuf>,

    /// Settings file with another binder than the embedded broker
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Mix in N messages that cannot be decoded, evenly spread; they become dead letters
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) poison: u64,

    /// Make P per cent of the first attempts fail, always those of the same orders; they are retried
    #[arg(long, value_name = "P", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) flaky: u8,

    /// Print one JSON object as the last line instead of the tables; money is text, so that it stays exact
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn defaults_are_a_thousand_generated_invoices_and_no_trouble() {
        let args = Args::try_parse_from(["orders"]).unwrap();
        assert_eq!(
            (
                args.input,
                args.invoices,
                args.poison,
                args.flaky,
                args.json
            ),
            (None, 1000, 0, 0, false)
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            &["--flaky", "101"][..],
            &["--poison", "-1"],
            &["--input", "a", "--invoices", "5"],
            &["--invoice"],
            &["a"],
        ] {
            assert!(
                Args::try_parse_from([&["orders"], wrong].concat()).is_err(),
                "{wrong:?}"
            );
        }
    }
}
