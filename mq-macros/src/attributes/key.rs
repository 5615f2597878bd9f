//! What keys an attribute has, and what each of them takes.

use std::time::Duration;

/// A key of an attribute.
#[derive(Debug)]
pub(crate) struct Key {
    /// The key.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) takes: Takes,
    /// How it is written.
    pub(crate) example: &'static str,
    /// Where its value goes in the settings of the input binding.
    pub(crate) setting: Option<&'static str>,
}

/// What a key takes.
#[derive(Debug)]
pub(crate) enum Takes {
    /// A text that is not empty.
    Text,
    /// A list of texts, not empty.
    Texts,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number in this range.
    Whole(u64, u64),
    /// A duration in this range.
    Wait(Duration, Duration),
    /// A duration in this range, or `"none"`.
    WaitOrNone(Duration, Duration),
    /// A list of durations of a millisecond or more.
    Waits,
    /// Nothing, which is `true`, or a truth value.
    Flag,
    /// Nothing, or these keys in parentheses.
    Table(&'static [Key]),
    /// Nothing.
    Mark,
    /// A path, as text.
    Path,
    /// Nothing yet: what to do until there is something.
    Later(&'static str),
}

impl Key {
    pub(crate) const fn new(name: &'static str, takes: Takes, example: &'static str) -> Self {
        Self {
            name,
            takes,
            example,
            setting: None,
        }
    }

    /// A key that is a setting of the input binding.
    pub(crate) const fn setting(
        name: &'static str,
        takes: Takes,
        example: &'static str,
        path: &'static str,
    ) -> Self {
        Self {
            name,
            takes,
            example,
            setting: Some(path),
        }
    }

    /// A key that has a meaning one day.
    pub(crate) const fn later(name: &'static str, until_then: &'static str) -> Self {
        Self::new(name, Takes::Later(until_then), "")
    }
}

impl Takes {
    /// What it takes, in words.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Text | Self::Word(_) => "a text",
            Self::Texts => "a list of texts",
            Self::Whole(..) => "a whole number",
            Self::Wait(..) | Self::WaitOrNone(..) => "a duration",
            Self::Waits => "a list of durations",
            Self::Flag => "`true` or `false`",
            Self::Table(_) => "keys in parentheses",
            Self::Mark | Self::Later(_) => "nothing",
            Self::Path => "a path as a text",
        }
    }
}
