//! The text of one source, and where things stand in it.

use super::problem::Place;
use super::{KeyPath, Node, Origin, Problem, Value};

/// The text of one source of settings.
#[derive(Debug)]
pub(super) struct Document<'a> {
    /// The file's name, or what else the source is called.
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    /// Which layer it is, from the weakest.
    pub(super) layer: u32,
    line_starts: Vec<usize>,
}

/// Why a document cannot be parsed.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) offset: usize,
    pub(super) message: String,
}

impl<'a> Document<'a> {
    pub(super) fn new(name: &'a str, text: &'a str, layer: u32) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let later = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(offset, _)| offset + 1);
        let line_starts = std::iter::once(0).chain(later).collect();
        Self {
            name,
            text,
            layer,
            line_starts,
        }
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, offset: usize) -> u32 {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// Where a line stands, from 1.
    fn origin(&self, line: u32) -> Origin {
        Origin::File {
            name: self.name.to_owned(),
            line,
        }
    }

    /// A node at this place of the document.
    pub(super) fn node(&self, path: KeyPath, line: u32, offset: usize, value: Value) -> Node {
        let place = Place::new(self.layer, offset);
        Node {
            value,
            path,
            origin: self.origin(line),
            place,
            ..Node::default()
        }
    }

    /// The problem that the document cannot be parsed at this place.
    pub(super) fn problem(&self, error: &SyntaxError, format: &str) -> Problem {
        let message = format!("this is not {format}: {}", error.message);
        Problem::new(
            message,
            "correct this line; the keys are checked after that",
        )
        .origin(self.origin(self.line(error.offset)))
        .place(Place::new(self.layer, error.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let document = Document::new("x", "ab\n\ncd\n", 0);
        let lines: Vec<_> = (0..=7).map(|offset| document.line(offset)).collect();
        assert_eq!(lines, [1, 1, 1, 2, 3, 3, 3, 4]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(Document::new("x", "\u{feff}a", 0).text, "a");
    }
}
