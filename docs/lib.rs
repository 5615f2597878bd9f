//! The Rust examples of the book and of the README, as documentation tests: `cargo test -p mq-book --doc`.
//!
//! Each chapter that `src/SUMMARY.md` links is a module here; `build.rs` writes them.
//! An example that is not to run says so: `no_run`, `compile_fail`, `text`.
//! An example may use `mq`, `mq_testkit`, `async_trait`, `serde`, `serde_json`, `tempfile`, `thiserror`, `tokio` and `tower`.

#[cfg(doctest)]
include!(concat!(env!("OUT_DIR"), "/chapters.rs"));
