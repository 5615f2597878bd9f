//! `cargo xtask book`: the book as web pages.

use std::io::ErrorKind;

use crate::{
    Result,
    cargo::{command, target},
};

/// Builds the book into the folder `book` of the target folder.
///
/// # Errors
/// Where `mdbook` is missing, with how to install it, or fails.
pub(crate) fn run() -> Result {
    let pages = target().join("book");
    let status = command("mdbook")
        .args(["build", "docs", "--dest-dir"])
        .arg(&pages)
        .status();
    match status {
        Ok(status) if status.success() => {
            println!("the book: {}", pages.join("index.html").display());
            Ok(())
        }
        Ok(status) => Err(format!("mdbook has failed ({status})").into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err("mdbook is not there; install it: cargo install --locked mdbook".into())
        }
        Err(error) => Err(format!("cannot start mdbook: {error}").into()),
    }
}
