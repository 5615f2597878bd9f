//! What somebody may have meant.

use strsim::damerau_levenshtein;

/// The name that is nearest to a misspelt one, if one is near: at most a third of the letters differ.
///
/// ```
/// use mq_core::config::nearest;
/// assert_eq!(nearest("concurency", ["enabled", "concurrency"]), Some("concurrency"));
/// assert_eq!(nearest("colour", ["enabled", "concurrency"]), None);
/// ```
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let far = |name: &str| damerau_levenshtein(&word, &plain(name));
    let allowed = (word.chars().count() / 3).max(1);
    let near = names
        .into_iter()
        .map(|name| (far(name), name))
        .min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, _)| *distance <= allowed)
        .map(|(_, name)| name)
}

fn plain(word: &str) -> String {
    word.to_lowercase().replace(['-', '.', ' '], "_")
}

/// `did you mean `x`?`, or the names there are after `otherwise`.
pub(super) fn suggestion(word: &str, names: &[&str], otherwise: &str) -> String {
    match nearest(word, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{otherwise} {}", quoted(names)),
    }
}

/// `` `a`, `b`, `c` ``
pub(super) fn quoted(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let names = ["attempts", "initial", "max", "max-payload"];
        let check = |word: &str, expected: Option<&str>| {
            assert_eq!(nearest(word, names), expected, "{word}");
        };
        check("attemps", Some("attempts"));
        check("Initial", Some("initial"));
        check("mx", Some("max"));
        check("max_payload", Some("max-payload"));
        check("a", None);
        check("jitter", None);
        check("", None);
    }
}
