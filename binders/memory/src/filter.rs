//! The filter language of this binder: one header, compared with one text.

use mq_core::{error::Result, message::Message};

use crate::error;

/// A filter: `headers['type'] == 'refund'`, or shorter `type = refund`; with `!=` it accepts everything else.
///
/// A message without the header has no value that could be equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    header: String,
    value: String,
    wanted: bool,
}

impl Filter {
    /// Reads a filter.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Self::read(text).ok_or_else(|| error::filter(text))
    }

    fn read(text: &str) -> Option<Self> {
        let at = text.find(['=', '!'])?;
        let (left, rest) = text.split_at(at);
        let (wanted, right) = if let Some(right) = rest.strip_prefix("!=") {
            (false, right)
        } else {
            (
                true,
                rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?,
            )
        };
        let (header, value) = (header(left.trim())?, unquoted(right.trim())?);
        Some(Self {
            header: header.to_owned(),
            value: value.to_owned(),
            wanted,
        })
    }

    pub(crate) fn accepts(&self, message: &Message) -> bool {
        let value = message.as_headers().get(&self.header);
        let equal = value.is_some_and(|value| value.as_bytes() == self.value.as_bytes());
        equal == self.wanted
    }
}

fn header(text: &str) -> Option<&str> {
    match text.strip_prefix("headers[") {
        Some(rest) => quoted(rest.strip_suffix(']')?.trim()),
        None => Some(text).filter(|text| is_word(text)),
    }
}

fn unquoted(text: &str) -> Option<&str> {
    quoted(text).or_else(|| Some(text).filter(|text| is_word(text)))
}

fn quoted(text: &str) -> Option<&str> {
    let inner = |quote| {
        text.strip_prefix(quote)?
            .strip_suffix(quote)
            .filter(|inner| !inner.contains(quote))
    };
    inner('\'').or_else(|| inner('"'))
}

fn is_word(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(filter: &str, message: &Message) -> bool {
        Filter::parse(filter).unwrap().accepts(message)
    }

    #[test]
    fn a_header_is_compared_in_every_spelling() {
        let message = Message::new("x")
            .header("x-type", "re fund")
            .header("n", "7");
        for filter in [
            "headers['x-type'] == 're fund'",
            "x-type = \"re fund\"",
            "n=7",
            "n != 8",
            "other != 1",
        ] {
            assert!(accepts(filter, &message), "{filter}");
        }
        for filter in ["n == 8", "n != 7", "other = 7"] {
            assert!(!accepts(filter, &message), "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_with_an_example() {
        for text in [
            "",
            "n",
            "n ==",
            "== 7",
            "a = 1 && b = 2",
            "n > 7",
            "headers[n] = 7",
            "n = 'a'b'",
            "n ! 7",
        ] {
            let error = Filter::parse(text).unwrap_err();
            assert!(
                error.to_string().contains("headers['type'] == 'refund'"),
                "{text}: {error}"
            );
        }
    }
}
