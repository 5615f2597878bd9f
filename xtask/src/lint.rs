//! `cargo xtask lint`: everything that is checked without running the product.

use std::path::PathBuf;

use crate::{
    Result,
    cargo::{self, cargo, command, target},
    steps::run_all,
};

/// Runs all checks, and names those that failed.
pub(crate) fn run() -> Result {
    run_all(&[
        ("format", format),
        ("clippy", clippy),
        ("rustdoc", rustdoc),
        ("dependencies", dependencies),
    ])
}

fn format() -> Result {
    cargo::run(&mut cargo(["fmt", "--all", "--check"]))
}

fn clippy() -> Result {
    cargo::run(&mut cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny=warnings",
    ]))
}

fn rustdoc() -> Result {
    cargo::run(cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Licences, bans and sources. Advisories are left out: their database is not in a package registry.
fn dependencies() -> Result {
    let program = cargo_deny()?;
    cargo::run(command(program).args(["--workspace", "check", "licenses", "bans", "sources"]))
}

/// `cargo-deny` from the search path or from `target/tools`, where it is installed first if need be.
fn cargo_deny() -> Result<PathBuf> {
    if works("cargo-deny") {
        return Ok("cargo-deny".into());
    }
    let tools = target().join("tools");
    let program = tools.join("bin").join("cargo-deny");
    if !works(&program) {
        install("cargo-deny", &tools)?;
    }
    Ok(program)
}

fn works(program: impl AsRef<std::ffi::OsStr>) -> bool {
    command(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Builds in a folder of its own below `tools`, which is removed afterwards.
fn install(package: &str, tools: &std::path::Path) -> Result {
    println!("    {package} is not there and gets installed once; this takes some minutes");
    let build = tools.join("build");
    let outcome = cargo::run(
        cargo(["install", "--locked", package, "--root"])
            .arg(tools)
            .arg("--target-dir")
            .arg(&build),
    );
    // Only space is lost where it cannot be removed.
    drop(std::fs::remove_dir_all(&build));
    outcome.map_err(|error| {
        format!("{error}; install it by hand: cargo install --locked {package}").into()
    })
}
