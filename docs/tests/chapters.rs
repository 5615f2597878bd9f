//! The summary, the files of the chapters and the tested examples are the same set.

use std::{collections::BTreeSet, fs, path::Path};

const SUMMARY: &str = include_str!("../src/SUMMARY.md");

/// What the build script makes of the summary.
const TESTED: &str = include_str!(concat!(env!("OUT_DIR"), "/chapters.rs"));

/// Where a file is that Markdown links: `](file)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.split("](").skip(1);
    ends.filter_map(|end| end.split(')').next())
        .filter(|file| !file.is_empty())
}

fn linked() -> BTreeSet<String> {
    links(SUMMARY).map(str::to_owned).collect()
}

/// The Markdown files below `docs/src`, without the summary.
fn files() -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        "",
        &mut files,
    );
    files.remove("SUMMARY.md");
    files
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the book's folder") {
        let path = entry.expect("a readable entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), files);
        } else if name.ends_with(".md") {
            files.insert(format!("{prefix}{name}"));
        }
    }
}

#[test]
fn every_chapter_of_the_summary_is_a_file() {
    let missing: Vec<_> = linked().difference(&files()).cloned().collect();
    assert!(
        missing.is_empty(),
        "src/SUMMARY.md links files that are not there: {missing:?}"
    );
}

#[test]
fn every_file_is_a_chapter_of_the_summary() {
    let lost: Vec<_> = files().difference(&linked()).cloned().collect();
    assert!(
        lost.is_empty(),
        "src/SUMMARY.md does not link {lost:?}: add a line for each"
    );
}

#[test]
fn no_chapter_stands_in_the_summary_twice() {
    assert_eq!(links(SUMMARY).count(), linked().len());
}

#[test]
fn the_examples_of_every_chapter_and_of_the_readme_are_tested() {
    let mut documents: Vec<_> = files().iter().map(|file| format!("/src/{file}")).collect();
    if Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../README.md")
        .exists()
    {
        documents.push("/../README.md".to_owned());
    }
    for document in documents {
        assert!(
            TESTED.contains(&format!("\"{document}\"")),
            "{document} is not among the tested examples"
        );
    }
}

#[test]
fn the_list_of_decisions_has_every_record() {
    let list = include_str!("../src/decisions/README.md");
    let listed: BTreeSet<_> = links(list)
        .map(|file| format!("decisions/{file}"))
        .collect();
    let mut records = files();
    records.remove("decisions/README.md");
    let records = records.iter().filter(|file| file.starts_with("decisions/"));
    let lost: Vec<_> = records.filter(|record| !listed.contains(*record)).collect();
    assert!(
        lost.is_empty(),
        "src/decisions/README.md does not list {lost:?}"
    );
}
