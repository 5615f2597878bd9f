//! The structure of the source: lengths, and who may name whom. The rules are in `table.rs`.

mod length;
mod order;
mod paths;
mod source;
mod table;

/// Fails with one line for each violation.
fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    none(&length::files(&source::all()));
}

#[test]
fn no_function_is_too_long() {
    let long: Vec<_> = source::all().iter().flat_map(length::functions).collect();
    none(&long);
}

#[test]
fn every_module_of_the_core_has_its_place() {
    none(&order::unknown_modules(&source::all()));
}

#[test]
fn modules_of_the_core_name_only_what_they_may() {
    let violations: Vec<_> = source::all().iter().flat_map(order::violations).collect();
    none(&violations);
}

#[test]
fn the_search_finds_the_source() {
    let sources = source::all();
    for path in ["mq-core/src/lib.rs", "xtask/tests/structure/main.rs"] {
        assert!(
            sources.iter().any(|source| source.path == path),
            "{path} is missing"
        );
    }
}
