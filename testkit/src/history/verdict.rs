//! What can be said of a message in the end.

use std::fmt;

/// A verdict on one message. A message can have several: one that was delivered again, and whose effect was doubled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// It was confirmed, and never reached the goal of the check.
    Lost,
    /// It first reached a handler, or first took effect, after one that was sent later with the same key.
    Reordered,
    /// It took effect more than once.
    Doubled,
    /// It was seen or took effect, and nobody sent it.
    Phantom,
    /// It was seen more than once; no fault where delivery is at least once.
    Redelivered,
}

impl Verdict {
    /// Every verdict, the worst first.
    pub const ALL: [Self; 5] = [
        Self::Lost,
        Self::Reordered,
        Self::Doubled,
        Self::Phantom,
        Self::Redelivered,
    ];

    /// The word of the summary.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Reordered => "reordered",
            Self::Doubled => "doubled",
            Self::Phantom => "phantom",
            Self::Redelivered => "redelivered",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The verdicts on one message; none of them is `ok`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Verdicts(u8);

impl Verdicts {
    /// Nothing to say against it.
    pub const OK: Self = Self(0);

    /// Whether there is none.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn contains(self, verdict: Verdict) -> bool {
        self.0 & verdict.bit() != 0
    }

    /// Each of them, the worst first.
    pub fn iter(self) -> impl Iterator<Item = Verdict> {
        Verdict::ALL
            .into_iter()
            .filter(move |verdict| self.contains(*verdict))
    }

    /// With one more, where it holds.
    pub(super) const fn add(mut self, verdict: Verdict, holds: bool) -> Self {
        if holds {
            self.0 |= verdict.bit();
        }
        self
    }
}

impl FromIterator<Verdict> for Verdicts {
    fn from_iter<I: IntoIterator<Item = Verdict>>(verdicts: I) -> Self {
        let verdicts = verdicts.into_iter();
        verdicts.fold(Self::OK, |all, verdict| all.add(verdict, true))
    }
}

/// The words, with commas, or `ok`.
impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_ok() {
            return f.write_str("ok");
        }
        for (at, verdict) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{verdict}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verdicts({self})")
    }
}
