//! How long files and functions are.

use proc_macro2::Span;
use syn::{
    Block, ImplItemFn, ItemFn, Signature, TraitItemFn,
    visit::{self, Visit},
};

use crate::{
    source::Source,
    table::{FILE, FUNCTION},
};

/// The files that are too long.
pub(crate) fn files(sources: &[Source]) -> Vec<String> {
    let long = |source: &Source| {
        let lines = source.text.lines().count();
        (lines > FILE).then(|| {
            source.at(
                FILE + 1,
                &format!("the file has {lines} lines, {FILE} at most"),
            )
        })
    };
    sources.iter().filter_map(long).collect()
}

/// The functions of a file that are too long.
pub(crate) fn functions(source: &Source) -> Vec<String> {
    match syn::parse_file(&source.text) {
        Ok(file) => {
            let mut found = Functions {
                source,
                long: Vec::new(),
            };
            found.visit_file(&file);
            found.long
        }
        Err(_) if source.shows_a_mistake() => Vec::new(),
        Err(error) => vec![source.at(error.span().start().line, &error.to_string())],
    }
}

struct Functions<'s> {
    source: &'s Source,
    long: Vec<String>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &Signature, body: &Block) {
        let line = |span: Span| span.start().line;
        let first = line(signature.fn_token.span);
        let lines = line(body.brace_token.span.close()) + 1 - first;
        if lines > FUNCTION {
            let what = format!(
                "`{}` has {lines} lines, {FUNCTION} at most",
                signature.ident
            );
            self.long.push(self.source.at(first, &what));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.measure(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let source = Source {
            path: "a.rs".to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(functions(&source), expected);
    }

    fn function(lines: usize) -> String {
        format!("fn long() {{{}}}\n", "\n".repeat(lines - 1))
    }

    #[test]
    fn a_function_may_have_sixty_lines() {
        check(&function(60), &[]);
        check(&function(61), &["a.rs:1: `long` has 61 lines, 60 at most"]);
    }

    #[test]
    fn methods_and_nested_functions_are_measured() {
        let long = function(61);
        check(
            &format!("impl A {{\n{long}}}"),
            &["a.rs:2: `long` has 61 lines, 60 at most"],
        );
        check(
            &format!("trait A {{\n{long}}}"),
            &["a.rs:2: `long` has 61 lines, 60 at most"],
        );
        check(
            &format!("mod a {{ const A: () = {{\n{long}}}; }}"),
            &["a.rs:2: `long` has 61 lines, 60 at most"],
        );
    }

    #[test]
    fn attributes_documentation_and_macros_do_not_count() {
        check(
            &format!("{}#[test]\n{}", "/// Doc.\n".repeat(70), function(60)),
            &[],
        );
        check(
            &format!("macro_rules! m {{ () => {{ {} }}; }}", function(99)),
            &[],
        );
    }

    #[test]
    fn a_file_that_does_not_parse_is_reported_unless_it_shows_a_mistake() {
        check(
            "fn",
            &["a.rs:1: unexpected end of input, expected identifier"],
        );
        let text = "fn".to_owned();
        assert!(
            functions(&Source {
                path: "mq/tests/ui/a.rs".to_owned(),
                text
            })
            .is_empty()
        );
    }

    #[test]
    fn a_file_may_have_six_hundred_lines() {
        let file = |lines| Source {
            path: "a.rs".to_owned(),
            text: "\n".repeat(lines),
        };
        assert_eq!(
            files(&[file(600), file(601)]),
            ["a.rs:601: the file has 601 lines, 600 at most"]
        );
    }
}
