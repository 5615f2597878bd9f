//! Writes one module for each chapter in `src/SUMMARY.md` and for the README, so that their examples are tested.

use std::{error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let summary = fs::read_to_string("src/SUMMARY.md")?;
    println!("cargo::rerun-if-changed=src/SUMMARY.md");
    println!("cargo::rerun-if-changed=../README.md");
    let mut modules = String::new();
    for chapter in chapters(&summary) {
        module(&mut modules, &format!("src/{chapter}"))?;
    }
    if Path::new("../README.md").exists() {
        module(&mut modules, "../README.md")?;
    }
    fs::write(Path::new(&out_dir()?).join("chapters.rs"), modules)?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folder in a variable"
)]
fn out_dir() -> Result<String, std::env::VarError> {
    std::env::var("OUT_DIR")
}

/// The files that the summary links; a chapter to be written has none: `[Title]()`.
fn chapters(summary: &str) -> impl Iterator<Item = &str> {
    let links = summary.split("](").skip(1);
    links
        .filter_map(|link| link.split(')').next())
        .filter(|file| !file.is_empty())
}

fn module(modules: &mut String, file: &str) -> std::fmt::Result {
    let name: String = file
        .trim_start_matches("../")
        .trim_start_matches("src/")
        .trim_end_matches(".md")
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect();
    writeln!(
        modules,
        "#[doc = include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{file}\"))]"
    )?;
    writeln!(modules, "pub mod chapter_{name} {{}}")
}
