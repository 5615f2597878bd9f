//! Where the key of an output comes from, when the function has not set one.

use bytes::Bytes;

use crate::message::Message;

/// The rule behind `producer.key` in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRule {
    /// `payload.a.b`: a field of the JSON payload.
    Payload(Vec<String>),
    /// `headers['x']` or `header:x`: a header's value.
    Header(String),
}

impl KeyRule {
    /// Reads the rule.
    ///
    /// # Errors
    /// A text that says which forms there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text
            .strip_prefix("payload.")
            .filter(|path| !path.is_empty())
        {
            return Ok(Self::Payload(path.split('.').map(str::to_owned).collect()));
        }
        let header = text
            .strip_prefix("header:")
            .or_else(|| {
                text.strip_prefix("headers['")
                    .and_then(|rest| rest.strip_suffix("']"))
            })
            .or_else(|| text.strip_prefix("headers."));
        match header {
            Some(name) if !name.is_empty() => Ok(Self::Header(name.to_owned())),
            _ => Err(format!(
                "`{text}` names no key: write `payload.<field>`, `headers['<name>']` or `header:<name>`"
            )),
        }
    }

    /// The key of this message; `None` where the field or header is not there.
    #[must_use]
    pub fn key_of(&self, message: &Message) -> Option<Bytes> {
        match self {
            Self::Header(name) => message
                .as_headers()
                .get(name)
                .map(|value| value.as_bytes().clone()),
            Self::Payload(path) => {
                let json: serde_json::Value = serde_json::from_slice(message.as_bytes()).ok()?;
                let value = path
                    .iter()
                    .try_fold(&json, |value, field| value.get(field))?;
                match value {
                    serde_json::Value::Null => None,
                    serde_json::Value::String(text) => {
                        Some(Bytes::copy_from_slice(text.as_bytes()))
                    }
                    other => Some(other.to_string().into()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_nested_fields_and_headers() {
        let message = Message::new(r#"{"customer":{"id":17850},"country":"EIRE","none":null}"#)
            .header("x-tenant", "a");
        let key = |rule: &str| KeyRule::parse(rule).expect("parses").key_of(&message);
        assert_eq!(key("payload.customer.id"), Some(Bytes::from("17850")));
        assert_eq!(key("payload.country"), Some(Bytes::from("EIRE")));
        assert_eq!(key("headers['x-tenant']"), Some(Bytes::from("a")));
        assert_eq!(key("header:x-tenant"), Some(Bytes::from("a")));
        assert_eq!(key("payload.none"), None);
        assert_eq!(key("payload.missing.id"), None);
    }

    #[test]
    fn a_rule_without_meaning_is_refused_with_the_forms_that_have_one() {
        for text in ["customer", "payload.", "headers['']", ""] {
            assert!(
                KeyRule::parse(text)
                    .expect_err(text)
                    .contains("payload.<field>")
            );
        }
    }
}
