//! Which module of `mq-core` may name what.

use std::collections::BTreeSet;

use crate::{
    paths::{self, Named},
    source::Source,
    table::{ORDER, RESERVED},
};

/// The modules of `mq-core` that the table does not have, each by a file of it.
pub(crate) fn unknown_modules(sources: &[Source]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut unknown = Vec::new();
    for source in sources {
        if let Some([module, ..]) = modules(source).as_deref()
            && position(module).is_none()
            && seen.insert(module.to_owned())
        {
            unknown.push(source.at(1, &format!("module `{module}` has no place in the order of mq-core (`ORDER` in xtask/tests/structure/table.rs)")));
        }
    }
    unknown
}

/// What a file of `mq-core` names and must not, in its order of lines.
pub(crate) fn violations(source: &Source) -> Vec<String> {
    let Some(modules) = modules(source) else {
        return Vec::new();
    };
    let named = match paths::all(&source.text, &modules) {
        Ok(named) => named,
        Err(error) => return vec![source.at(error.span().start().line, &error.to_string())],
    };
    let module = modules.first().copied();
    let judge = |named: &Named| {
        let problem = module.and_then(|module| against_order(module, named));
        let problem = problem.or_else(|| against_reserve(module, named))?;
        Some(source.at(named.line, &problem))
    };
    let mut violations: Vec<_> = named.iter().filter_map(judge).collect();
    violations.dedup();
    violations
}

/// The modules that a file of `mq-core` is inside of, none for `lib.rs`.
fn modules(source: &Source) -> Option<Vec<&str>> {
    let path = source
        .path
        .strip_prefix("mq-core/src/")?
        .strip_suffix(".rs")?;
    let mut modules: Vec<_> = path.split('/').collect();
    if matches!(modules.last(), Some(&("mod" | "lib"))) {
        modules.pop();
    }
    Some(modules)
}

fn position(module: &str) -> Option<usize> {
    ORDER.iter().position(|other| *other == module)
}

fn against_order(module: &str, named: &Named) -> Option<String> {
    let own = position(module)?;
    let [root, other, ..] = named.segments.as_slice() else {
        return None;
    };
    if root != "crate" || other == module {
        return None;
    }
    match position(other) {
        Some(place) if place < own => None,
        Some(_) => Some(format!(
            "`{module}` stands left of `{other}` and may not name it"
        )),
        None => Some(format!(
            "`crate::{other}` is no module of the order: name the module that has it"
        )),
    }
}

fn against_reserve(module: Option<&str>, named: &Named) -> Option<String> {
    let broken = RESERVED.iter().find(|reserved| {
        named.is_within(reserved.path)
            && module != Some(reserved.owner)
            && !(reserved.in_macros && named.in_macro)
    })?;
    Some(format!(
        "only `{}` may name `{}`",
        broken.owner, broken.path
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let source = Source {
            path: format!("mq-core/src/{path}"),
            text: text.to_owned(),
        };
        let prefix = format!("{}:", source.path);
        let found = violations(&source);
        let found: Vec<_> = found
            .iter()
            .map(|line| line.trim_start_matches(&prefix))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    const RIGHT: &str = "`codec` stands left of `binder` and may not name it";

    #[test]
    fn a_module_may_name_itself_and_those_on_its_left() {
        check(
            "codec/mod.rs",
            "use crate::{codec::A, error::{self, B}, message::*};",
            &[],
        );
        check(
            "codec/mod.rs",
            "fn a() -> crate::error::A { crate::message::b::<u8>() }",
            &[],
        );
        check(
            "codec/json.rs",
            "use super::A; use self::b::C; use super::super::error::D;",
            &[],
        );
    }

    #[test]
    fn a_module_on_the_right_is_refused_however_it_is_named() {
        let refused = |line: usize| format!("{line}: {RIGHT}");
        for text in [
            "\nuse crate::binder::A;",
            "\nuse crate::binder;",
            "use crate::{\nbinder::{A, B},\n error::C};",
            "use {crate::error::A,\ncrate::binder::B};",
            "\nfn a() -> crate::binder::A {}",
            "\nvec![crate::binder::A];",
            "\nmacro_rules! a { () => { $crate::binder::A }; }",
            "\n#[cfg(test)] mod tests { use crate::binder::A; }",
            "\npub(in crate::binder) fn a() {}",
        ] {
            let lines = violations_of_one(text);
            assert_eq!(lines, [refused(2)], "{text}");
        }
        check(
            "codec/json.rs",
            "use super::super::binder::A;",
            &[&refused(1)],
        );
        check("codec.rs", "use super::binder::A;", &[&refused(1)]);
        check(
            "codec.rs",
            "mod tests { use super::super::binder::A; use super::binder::B; }",
            &[&refused(1)],
        );
    }

    fn violations_of_one(text: &str) -> Vec<String> {
        let source = Source {
            path: "mq-core/src/codec/mod.rs".to_owned(),
            text: text.to_owned(),
        };
        let found = violations(&source).into_iter();
        found
            .map(|line| line.replace("mq-core/src/codec/mod.rs:", ""))
            .collect()
    }

    #[test]
    fn comments_and_texts_name_nothing() {
        check(
            "codec/mod.rs",
            "//! [A](crate::binder::A)\n/// crate::binder\n// crate::binder\nconst A: &str = \"crate::binder\";",
            &[],
        );
    }

    #[test]
    fn what_lib_exports_is_named_by_its_module() {
        check(
            "codec/mod.rs",
            "use crate::Result;",
            &["1: `crate::Result` is no module of the order: name the module that has it"],
        );
        check(
            "codec/mod.rs",
            "use crate::*;",
            &["1: `crate::*` is no module of the order: name the module that has it"],
        );
        check("lib.rs", "pub use crate::{admin::A, error::B};", &[]);
    }

    #[test]
    fn files_and_environment_belong_to_config() {
        check("config/files.rs", "use std::{env, fs};", &[]);
        check(
            "app/mod.rs",
            "use std::{env, fmt};",
            &["1: only `config` may name `std::env`"],
        );
        check(
            "app/mod.rs",
            "use std::fs::read;",
            &["1: only `config` may name `std::fs`"],
        );
        check(
            "lib.rs",
            "fn a() { ::std::env::var(\"A\"); }",
            &["1: only `config` may name `std::env`"],
        );
        check(
            "app/mod.rs",
            "use std::fmt; const A: &str = env!(\"A\"); fn b(env: u8) { fs::a() }",
            &[],
        );
    }

    #[test]
    fn inventory_belongs_to_the_registry_and_to_macros() {
        let only = |path: &str| format!("1: only `registry` may name `{path}`");
        check(
            "registry/mod.rs",
            "pub use inventory; inventory::collect!(A);",
            &[],
        );
        check(
            "app/mod.rs",
            "inventory::submit! { A }",
            &[&only("inventory")],
        );
        check(
            "app/mod.rs",
            "use crate::registry::inventory;",
            &[&only("crate::registry::inventory")],
        );
        check("lib.rs", "pub use inventory as i;", &[&only("inventory")]);
        check(
            "app/mod.rs",
            "macro_rules! a { () => { $crate::registry::inventory::submit! {} }; }",
            &[],
        );
        check("app/mod.rs", "fn a(inventory: u8) { b(inventory) }", &[]);
    }

    #[test]
    fn a_module_without_a_place_is_told_by_name() {
        let source = |path: &str| Source {
            path: path.to_owned(),
            text: String::new(),
        };
        let unknown = unknown_modules(&[
            source("mq-core/src/lib.rs"),
            source("mq-core/src/error.rs"),
            source("mq-core/src/rabbit/a.rs"),
            source("mq-core/src/rabbit/mod.rs"),
            source("mq-core/tests/it/main.rs"),
        ]);
        assert_eq!(unknown.len(), 1, "{unknown:?}");
        assert!(unknown[0].starts_with("mq-core/src/rabbit/a.rs:1: module `rabbit` has no place"));
    }
}
