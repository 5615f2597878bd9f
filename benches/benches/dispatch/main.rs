//! What the loop and the standard stack cost a message, without a broker behind them.
//!
//! `cargo bench -p mq-benches --bench dispatch [name…]`; instructions need valgrind on the path.

mod backlog;
mod scenarios;

use mq_benches::{
    figures::Figures,
    measure::{self, One},
};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn main() -> std::io::Result<()> {
    if let Some(One { scenario, count }) = measure::asked_for_one() {
        let run = scenarios::find(&scenario)
            .ok_or_else(|| std::io::Error::other(format!("no scenario `{scenario}`")))?;
        measure::counting(|| run(count));
        return Ok(());
    }
    if !measure::is_bench() {
        return tried();
    }
    let mut figures = Figures::default();
    for (name, counts) in scenarios::ALL {
        if measure::is_wanted(name) {
            figures.add(name, measure::cost(name, *counts)?);
        }
    }
    figures.print("dispatch");
    Ok(())
}

/// As a test, every scenario runs once with few messages and nothing is measured.
fn tried() -> std::io::Result<()> {
    for (name, _) in scenarios::ALL {
        let run = scenarios::find(name)
            .ok_or_else(|| std::io::Error::other(format!("no scenario `{name}`")))?;
        run(1_000);
    }
    Ok(())
}
