//! Rows out of CSV text, one at a time, in bounded memory.
//!
//! `csv-core` does the parsing. The loop around it is our own instead of the `csv` crate's, because that one has no limit: a quote that
//! is never closed makes it read the rest of the file into one value. Here such a row costs one line, and the next line is a row again.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, Reader};

use crate::bad_row::Reason;

/// Longest row, in bytes, its line breaks included. Real rows have less than 150.
pub(crate) const MAX_ROW: usize = 4096;

/// Most columns of a row; one with more is reported with this count.
const MAX_COLUMNS: usize = 64;

/// How much is asked of the input at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Reads rows from anything that holds CSV text: `,` between values, `"` around them, any line ends, with or without a byte order mark.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    input: R,
    parser: Reader,
    window: Vec<u8>,
    start: usize,
    ended: bool,
    line: u64,
    consumed: u64,
    row: Row,
}

/// The values of one row, without quotes.
#[derive(Debug)]
pub(crate) struct Row {
    line: u64,
    text: Box<[u8]>,
    ends: [usize; MAX_COLUMNS],
    columns: usize,
}

/// A row that is none.
#[derive(Debug)]
pub(crate) struct NoRow {
    /// Line in the input, from 1.
    pub(crate) line: u64,
    /// What is wrong there.
    pub(crate) reason: Reason,
}

/// How far the parser came.
enum Parsed {
    Row { length: usize },
    NeedsMore,
    TooManyColumns,
}

impl<R: Read> Rows<R> {
    /// Starts at the beginning of `input`, which needs no buffer of its own.
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            parser: Reader::new(),
            window: Vec::with_capacity(2 * CHUNK),
            start: 0,
            ended: false,
            line: 1,
            consumed: 0,
            row: Row {
                line: 0,
                text: vec![0; MAX_ROW + 1].into(),
                ends: [0; MAX_COLUMNS],
                columns: 0,
            },
        }
    }

    /// How many bytes of the input are done with.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The next row that is not blank, or `None` at the end.
    ///
    /// # Errors
    /// A row that is too long or wrongly quoted: its first line is skipped, and the next call goes on behind it. Or
    /// [`Reason::Unreadable`], after which nothing more can be expected.
    pub(crate) fn next_row(&mut self) -> Result<Option<&Row>, NoRow> {
        let found = self
            .skip_blank()
            .map_err(|error| self.no_row(error.into()))?;
        if !found {
            return Ok(None);
        }
        match self.read_row() {
            Ok(()) => Ok(Some(&self.row)),
            Err(reason) => Err(self.give_up_line(reason)),
        }
    }

    fn no_row(&self, reason: Reason) -> NoRow {
        NoRow {
            line: self.line,
            reason,
        }
    }

    fn give_up_line(&mut self, reason: Reason) -> NoRow {
        let mut error = self.no_row(reason);
        if let Err(read) = self.skip_line() {
            error.reason = read.into();
        }
        error
    }

    fn read_row(&mut self) -> Result<(), Reason> {
        let length = loop {
            let ahead = &self.window[self.start..];
            let last = self.ended && ahead.len() <= MAX_ROW;
            let ahead = &ahead[..ahead.len().min(MAX_ROW)];
            match self.row.parse(&mut self.parser, ahead, last) {
                Parsed::Row { length } => break length,
                Parsed::NeedsMore if ahead.len() < MAX_ROW => self.fill()?,
                Parsed::NeedsMore if ahead.contains(&b'\n') => return Err(Reason::Quote),
                Parsed::NeedsMore => return Err(Reason::TooLong),
                Parsed::TooManyColumns => return Err(Reason::Columns(MAX_COLUMNS)),
            }
        };
        let text = self.window[self.start..self.start + length].trim_ascii_end();
        if text.contains(&b'\n') && !is_strictly_quoted(text) {
            return Err(Reason::Quote);
        }
        self.row.line = self.line;
        self.advance(length);
        Ok(())
    }

    /// Moves to the first byte of a row, over line breaks and byte order marks; false at the end of the input.
    fn skip_blank(&mut self) -> io::Result<bool> {
        loop {
            let blank = match &self.window[self.start..] {
                [b'\n' | b'\r', ..] => 1,
                [0xEF, 0xBB, 0xBF, ..] => 3,
                [] | [_] | [_, _] if !self.ended => {
                    self.fill()?;
                    0
                }
                ahead => return Ok(!ahead.is_empty()),
            };
            self.advance(blank);
        }
    }

    /// Moves behind the line break that ends this line, however far away it is.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let ahead = &self.window[self.start..];
            if let Some(at) = ahead.iter().position(|byte| *byte == b'\n') {
                self.advance(at + 1);
                return Ok(());
            }
            self.advance(ahead.len());
            if self.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }

    fn advance(&mut self, length: usize) {
        let passed = &self.window[self.start..self.start + length];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.start += length;
        self.consumed += length as u64;
    }

    /// Reads a chunk more. After an error the input counts as ended.
    fn fill(&mut self) -> io::Result<()> {
        self.window.drain(..self.start);
        self.start = 0;
        let read = self
            .input
            .by_ref()
            .take(CHUNK as u64)
            .read_to_end(&mut self.window);
        self.ended = !matches!(read, Ok(CHUNK));
        read.map(|_| ())
    }
}

impl Row {
    /// Line in the input, from 1, where the row begins.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// How many values it has; a row of more than 64 is not given out.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The value of a column, from 0; empty where the row has no such column.
    pub(crate) fn value(&self, column: usize) -> &[u8] {
        let Some(&end) = self.ends[..self.columns].get(column) else {
            return &[];
        };
        let start = if column == 0 {
            0
        } else {
            self.ends[column - 1]
        };
        &self.text[start..end]
    }

    /// Parses the row at the beginning of `ahead`, which is no longer than [`MAX_ROW`]; `last` says that nothing follows after it.
    fn parse(&mut self, parser: &mut Reader, ahead: &[u8], last: bool) -> Parsed {
        parser.reset();
        let (mut result, length, text, columns) =
            parser.read_record(ahead, &mut self.text, &mut self.ends);
        self.columns = columns;
        if result == ReadRecordResult::InputEmpty && last {
            let (end, _, _, more) =
                parser.read_record(&[], &mut self.text[text..], &mut self.ends[columns..]);
            self.columns += more;
            result = end;
        }
        match result {
            ReadRecordResult::Record | ReadRecordResult::End => Parsed::Row { length },
            ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull => Parsed::NeedsMore,
            ReadRecordResult::OutputEndsFull => Parsed::TooManyColumns,
        }
    }
}

/// Whether each quote opens a value, closes it, or is one of a pair inside (RFC 4180, section 2). The parser is more lenient, which is fine inside of a
/// line; across lines it would let a stray quote swallow rows.
fn is_strictly_quoted(text: &[u8]) -> bool {
    let mut quoted = false;
    let mut before = b',';
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, quoted) {
            (b'"', false) if before == b',' => quoted = true,
            (b'"', true) if bytes.peek() == Some(&b'"') => {
                bytes.next();
            }
            (b'"', true) if matches!(bytes.peek(), None | Some(b',')) => quoted = false,
            (b'"', _) => return false,
            _ => {}
        }
        before = byte;
    }
    !quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row as `line|value|value`, each error as `line!reason`.
    fn read(text: &[u8]) -> Vec<String> {
        let mut rows = Rows::new(text);
        let mut read = Vec::new();
        loop {
            match rows.next_row() {
                Ok(None) => break,
                Ok(Some(row)) => {
                    let values =
                        (0..row.columns()).map(|column| String::from_utf8_lossy(row.value(column)));
                    read.push(values.fold(row.line().to_string(), |text, value| {
                        format!("{text}|{value}")
                    }));
                }
                Err(error) => read.push(format!("{}!{:?}", error.line, error.reason)),
            }
        }
        assert_eq!(rows.consumed(), text.len() as u64);
        read
    }

    #[test]
    fn line_ends_blank_lines_and_byte_order_marks_are_no_values() {
        assert_eq!(read(b"a,b\n\nc,d"), ["1|a|b", "3|c|d"]);
        assert_eq!(read(b"\xEF\xBB\xBFa,b\r\n\r\nc,\r\n"), ["1|a|b", "3|c|"]);
        assert_eq!(read(b"\n\xEF\xBB\xBF\"a\",b\n"), ["2|a|b"]);
        for nothing in [
            &b""[..],
            b"\n",
            b"\r\n\r\n",
            b"\xEF\xBB\xBF",
            b"\xEF\xBB\xBF\n",
        ] {
            assert!(read(nothing).is_empty(), "{nothing:?}");
        }
    }

    #[test]
    fn quotes_hold_commas_quotes_and_line_breaks() {
        assert_eq!(read(b"a,\"b, \"\"c\"\"\",d\ne"), ["1|a|b, \"c\"|d", "2|e"]);
        assert_eq!(read(b"a,\"b\r\nc\",d\r\ne\r\n"), ["1|a|b\r\nc|d", "3|e"]);
        assert_eq!(read(b"a,7\" FRAME,c\n"), ["1|a|7\" FRAME|c"]);
    }

    #[test]
    fn a_stray_quote_costs_one_line_only() {
        assert_eq!(
            read(b"a,\"b,c\nd,e,f\ng,\"h, i\",j\n"),
            ["1!Quote", "2|d|e|f", "3|g|h, i|j"]
        );
        assert_eq!(read(b"a,\"b,c\nd,e,f\n"), ["1!Quote", "2|d|e|f"]);
        assert_eq!(
            read(b"a,\"b,c\nd,\"\"\"e\"\"\",f\n"),
            ["1!Quote", "2|d|\"e\"|f"]
        );
    }

    #[test]
    fn a_quote_open_for_longer_than_a_row_is_given_up() {
        let text = format!("a,\"b\n{}", "d,e\n".repeat(10_000));
        let read = read(text.as_bytes());
        assert_eq!(read.len(), 10_001);
        assert_eq!((&*read[0], &*read[10_000]), ("1!Quote", "10001|d|e"));
    }

    #[test]
    fn a_row_that_is_too_long_is_skipped_whole() {
        let text = format!("a\n{}\nb\n", "x".repeat(300_000));
        assert_eq!(read(text.as_bytes()), ["1|a", "2!TooLong", "3|b"]);
        assert_eq!(read("x".repeat(300_000).as_bytes()), ["1!TooLong"]);
        for length in [MAX_ROW - 1, MAX_ROW] {
            assert_eq!(
                read("x".repeat(length).as_bytes()),
                [format!("1|{}", "x".repeat(length))]
            );
        }
    }

    #[test]
    fn a_row_of_too_many_columns_costs_itself_only() {
        let text = format!("{}\nb\n", ",".repeat(100));
        assert_eq!(read(text.as_bytes()), ["1!Columns(64)", "2|b"]);
    }

    #[test]
    fn rows_that_lie_across_the_chunks_are_whole() {
        let text: String = (0..30_000).map(|n| format!("{n},\"x, {n}\"\r\n")).collect();
        let read = read(text.as_bytes());
        assert_eq!(read.len(), 30_000);
        for (n, row) in read.iter().enumerate() {
            assert_eq!(*row, format!("{}|{n}|x, {n}", n + 1));
        }
    }

    #[test]
    fn an_input_that_breaks_off_is_reported_once() {
        let mut rows = Rows::new(Broken);
        assert!(matches!(
            rows.next_row(),
            Err(NoRow {
                line: 1,
                reason: Reason::Unreadable(_)
            })
        ));
        assert!(matches!(rows.next_row(), Ok(None)));
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk is gone"))
        }
    }
}
