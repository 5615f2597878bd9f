//! Words in messages: lists of names, and what somebody may have meant.

use strsim::damerau_levenshtein;

/// The name that is nearest to a misspelt one, if one is near: at most a third of the letters differ.
///
/// The rule is that of the settings, so that an attribute and a file are answered alike.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    let near = names
        .into_iter()
        .map(|name| (damerau_levenshtein(&word, name), name))
        .min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, _)| *distance <= allowed)
        .map(|(_, name)| name)
}

/// `` `a`, `b` or `c` ``
pub(crate) fn either<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// `` did you mean `a`? ``, or every name there is after `otherwise`.
pub(crate) fn suggestion(word: &str, names: &[&str], otherwise: &str) -> String {
    match nearest(word, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{otherwise} {}", either(names.iter().copied())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let names = ["input", "output", "concurrency"];
        assert_eq!(nearest("inptu", names), Some("input"));
        assert_eq!(nearest("concurency", names), Some("concurrency"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("", names), None);
    }

    #[test]
    fn names_are_listed_with_or_before_the_last() {
        assert_eq!(either(["a"]), "`a`");
        assert_eq!(either(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(
            suggestion("x", &["alpha", "beta"], "write"),
            "write `alpha` or `beta`"
        );
    }
}
