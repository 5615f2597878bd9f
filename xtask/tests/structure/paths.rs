//! Every path that a source file names, in `use` and elsewhere, inside macros and tests; comments and strings have none.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path with where it stands.
#[derive(Debug, PartialEq)]
pub(crate) struct Named {
    /// The path from the root: `crate`, a module …, or another crate …. `$crate`, `self` and `super` are resolved.
    pub(crate) segments: Vec<String>,
    /// The line in the file, from 1.
    pub(crate) line: usize,
    /// Whether it stands in a `macro_rules!`.
    pub(crate) in_macro: bool,
}

impl Named {
    /// Whether the path is `path` or goes on from it.
    pub(crate) fn is_within(&self, path: &str) -> bool {
        let mut own = self.segments.iter();
        path.split("::")
            .all(|part| own.next().is_some_and(|segment| segment == part))
    }
}

/// All paths in `text`, a file that is the module `modules` of its crate.
///
/// # Errors
/// Where the text is not made of Rust's tokens.
pub(crate) fn all(text: &str, modules: &[&str]) -> Result<Vec<Named>, proc_macro2::LexError> {
    let mut reader = Reader {
        modules: modules.iter().map(ToString::to_string).collect(),
        macros: 0,
        found: Vec::new(),
    };
    reader.read(&trees(text.parse()?));
    Ok(reader.found)
}

struct Reader {
    modules: Vec<String>,
    macros: usize,
    found: Vec<Named>,
}

impl Reader {
    fn read(&mut self, mut trees: &[TokenTree]) {
        let mut after_use = false;
        while let [first, rest @ ..] = trees {
            trees = match (first, rest) {
                (word, [TokenTree::Ident(name), TokenTree::Group(body), rest @ ..])
                    if is_word(word, "mod") && body.delimiter() == Delimiter::Brace =>
                {
                    self.module(name.to_string(), body.stream());
                    rest
                }
                (word, [mark, TokenTree::Ident(_), TokenTree::Group(body), rest @ ..])
                    if is_word(word, "macro_rules") && is_mark(mark, '!') =>
                {
                    self.macros += 1;
                    self.read(&self::trees(body.stream()));
                    self.macros -= 1;
                    rest
                }
                (TokenTree::Ident(_), _) => self.path(&[], trees, after_use),
                (TokenTree::Group(group), _) => {
                    self.read(&self::trees(group.stream()));
                    rest
                }
                _ => rest,
            };
            after_use = is_word(first, "use") || after_use && is_mark(first, ':');
        }
    }

    fn module(&mut self, name: String, body: TokenStream) {
        self.modules.push(name);
        self.read(&trees(body));
        self.modules.pop();
    }

    /// Reads one path that goes on from `prefix`, with the tree of a `use` below it, and gives what stands after it.
    fn path<'t>(
        &mut self,
        prefix: &[String],
        mut trees: &'t [TokenTree],
        alone: bool,
    ) -> &'t [TokenTree] {
        let mut segments = prefix.to_vec();
        let line = trees.first().map_or(0, |tree| tree.span().start().line);
        loop {
            match trees {
                [TokenTree::Ident(name), rest @ ..] => {
                    segments.push(name.to_string());
                    trees = rest;
                }
                [TokenTree::Group(group), rest @ ..] if group.delimiter() == Delimiter::Brace => {
                    self.branches(&segments, group.stream());
                    return rest;
                }
                [mark, rest @ ..] if is_mark(mark, '*') => {
                    segments.push("*".to_owned());
                    trees = rest;
                }
                _ => break,
            }
            match trees {
                [a, b, rest @ ..] if is_mark(a, ':') && is_mark(b, ':') => trees = rest,
                _ => break,
            }
        }
        if segments.len() > 1 || alone {
            self.add(segments, line);
        }
        trees
    }

    /// `prefix::{a, b::c, d as e}`.
    fn branches(&mut self, prefix: &[String], stream: TokenStream) {
        for branch in trees(stream).split(|tree| is_mark(tree, ',')) {
            if !branch.is_empty() {
                self.path(prefix, branch, true);
            }
        }
    }

    fn add(&mut self, segments: Vec<String>, line: usize) {
        let mut inner = self.modules.clone();
        let mut relative = false;
        let mut rest = segments.as_slice();
        while let [first, others @ ..] = rest {
            match first.as_str() {
                "self" => {}
                "super" => drop(inner.pop()),
                _ => break,
            }
            relative = true;
            rest = others;
        }
        let segments = if relative {
            let root = ["crate".to_owned()];
            root.into_iter()
                .chain(inner)
                .chain(rest.iter().cloned())
                .collect()
        } else {
            segments
        };
        let in_macro = self.macros > 0;
        self.found.push(Named {
            segments,
            line,
            in_macro,
        });
    }
}

fn trees(stream: TokenStream) -> Vec<TokenTree> {
    stream.into_iter().collect()
}

fn is_word(tree: &TokenTree, word: &str) -> bool {
    matches!(tree, TokenTree::Ident(ident) if ident == word)
}

fn is_mark(tree: &TokenTree, mark: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == mark)
}
