//! Reading JSON.

use std::str::from_utf8;

use serde::de::DeserializeOwned;

/// Reads a value from JSON.
///
/// Whether the text is UTF-8, as RFC 8259 demands, is found out once; `from_slice` looks at each string on its own, which takes
/// several times as long. What is not UTF-8 is read by it all the same: it knows the place, and a string that nobody wants may be of
/// any kind.
#[inline(always)]
pub(crate) fn json<T: DeserializeOwned>(payload: &[u8]) -> serde_json::Result<T> {
    match from_utf8(payload) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => other_json(payload),
    }
}

#[cold]
fn other_json<T: DeserializeOwned>(payload: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(payload)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Item {
        name: String,
    }

    /// The value or the text of the error.
    fn read(payload: &[u8]) -> Result<Item, String> {
        let expected: serde_json::Result<Item> = serde_json::from_slice(payload);
        let expected = expected.map_err(|error| error.to_string());
        let found = json(payload).map_err(|error| error.to_string());
        assert_eq!(found, expected, "as `from_slice`");
        found
    }

    #[test]
    fn text_is_read_as_from_slice_would() {
        let name = |name: &str| Ok(Item { name: name.into() });
        assert_eq!(read(br#"{"name":"x"}"#), name("x"));
        assert_eq!(read(r#"{"name":"grün \u00fc"}"#.as_bytes()), name("grün ü"));
        for wrong in ["", "{", "{} x", r#"{"name":7}"#, r#"{"name":"x"} x"#] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_refused_where_it_is_wanted() {
        let error = read(b"{\"name\":\"\xff\"}").expect_err("not UTF-8");
        assert!(error.contains("line 1 column"), "{error}");
        assert!(read(b"{\"other\":\"\xff\",\"name\":\"x\"}").is_ok());
    }
}
