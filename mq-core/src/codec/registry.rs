//! The codecs that an application knows, by content type.

use std::{fmt, sync::Arc};

use super::Undecodable;
use crate::{error::BoxError, message::ContentType};

/// Takes a deserializer and reads one value from it.
pub type Reader<'a> =
    dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error> + 'a;

/// A format for payloads that serde can read and write, found by content type.
///
/// # Examples
/// A codec is a few lines over any serde format; see [`JsonCodec`].
pub trait Codec: Send + Sync + 'static {
    /// The content type that this codec writes.
    fn content_type(&self) -> ContentType;

    /// Whether this codec reads `content_type`; by default its own, without parameters and case.
    fn reads(&self, content_type: &ContentType) -> bool {
        self.content_type()
            .essence()
            .eq_ignore_ascii_case(content_type.essence())
    }

    /// Reads `payload` by handing a deserializer to `reader`, once.
    ///
    /// # Errors
    /// The payload is not of this format, or `reader` refused the value.
    fn decode(&self, payload: &[u8], reader: &mut Reader<'_>) -> Result<(), BoxError>;

    /// Writes `value` at the end of `buffer`.
    ///
    /// # Errors
    /// The value cannot be written in this format.
    fn encode(
        &self,
        value: &dyn erased_serde::Serialize,
        buffer: &mut Vec<u8>,
    ) -> Result<(), BoxError>;
}

/// JSON, by `serde_json`.
#[derive(Clone, Copy, Debug)]
pub struct JsonCodec;

impl Codec for JsonCodec {
    fn content_type(&self) -> ContentType {
        ContentType::JSON
    }

    fn reads(&self, content_type: &ContentType) -> bool {
        content_type.is_json()
    }

    fn decode(&self, payload: &[u8], reader: &mut Reader<'_>) -> Result<(), BoxError> {
        match std::str::from_utf8(payload) {
            Ok(text) => read_json(serde_json::Deserializer::from_str(text), reader),
            Err(_) => read_json(serde_json::Deserializer::from_slice(payload), reader),
        }
    }

    fn encode(
        &self,
        value: &dyn erased_serde::Serialize,
        buffer: &mut Vec<u8>,
    ) -> Result<(), BoxError> {
        Ok(serde_json::to_writer(buffer, value)?)
    }
}

/// As [`json`](super::json()), which says why there are two.
fn read_json<'de>(
    mut json: serde_json::Deserializer<impl serde_json::de::Read<'de>>,
    reader: &mut Reader<'_>,
) -> Result<(), BoxError> {
    reader(&mut <dyn erased_serde::Deserializer<'_>>::erase(&mut json))?;
    Ok(json.end()?)
}

/// UTF-8 text: strings only.
#[derive(Clone, Copy, Debug)]
pub struct TextCodec;

impl Codec for TextCodec {
    fn content_type(&self) -> ContentType {
        ContentType::TEXT
    }

    fn reads(&self, content_type: &ContentType) -> bool {
        content_type.is_text()
    }

    fn decode(&self, payload: &[u8], reader: &mut Reader<'_>) -> Result<(), BoxError> {
        let text = std::str::from_utf8(payload)?;
        let text = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
        Ok(reader(&mut <dyn erased_serde::Deserializer<'_>>::erase(
            text,
        ))?)
    }

    fn encode(
        &self,
        value: &dyn erased_serde::Serialize,
        buffer: &mut Vec<u8>,
    ) -> Result<(), BoxError> {
        match serde_json::to_value(value)? {
            serde_json::Value::String(text) => buffer.extend_from_slice(text.as_bytes()),
            other => return Err(format!("a text payload is a string, not {other}").into()),
        }
        Ok(())
    }
}

/// The codecs of an application. JSON and text are always there; a codec added later wins over an earlier one.
#[derive(Clone)]
pub struct Codecs(Arc<Vec<Arc<dyn Codec>>>);

impl Codecs {
    /// Adds a codec.
    #[must_use]
    pub fn with(self, codec: impl Codec) -> Self {
        let mut list = (*self.0).clone();
        list.insert(0, Arc::new(codec));
        Self(Arc::new(list))
    }

    /// The codec for a content type; an absent content type means JSON.
    ///
    /// # Errors
    /// No codec reads it: the message is undecodable.
    pub fn find(&self, content_type: Option<&ContentType>) -> Result<&dyn Codec, Undecodable> {
        let wanted = content_type.unwrap_or(&ContentType::JSON);
        let found = self.0.iter().find(|codec| codec.reads(wanted));
        found
            .map(|codec| &**codec)
            .ok_or_else(|| Undecodable::new(format!("no codec for content type `{wanted}`")))
    }
}

impl Default for Codecs {
    fn default() -> Self {
        Self(Arc::new(vec![Arc::new(JsonCodec), Arc::new(TextCodec)]))
    }
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|codec| codec.content_type()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode<T: serde::de::DeserializeOwned>(
        content_type: &'static str,
        payload: &[u8],
    ) -> Result<T, String> {
        let codecs = Codecs::default();
        let codec = codecs
            .find(Some(&content_type.into()))
            .map_err(|e| e.to_string())?;
        let mut value = None;
        codec
            .decode(payload, &mut |deserializer| {
                value = Some(erased_serde::deserialize::<T>(deserializer)?);
                Ok(())
            })
            .map_err(|e| e.to_string())?;
        value.ok_or_else(|| "nothing was read".to_owned())
    }

    #[test]
    fn json_and_text_are_found_by_content_type() {
        assert_eq!(
            decode::<Vec<u8>>("application/json", b"[1,2]"),
            Ok(vec![1, 2])
        );
        assert_eq!(
            decode::<String>("text/plain; charset=utf-8", "grün".as_bytes()),
            Ok("grün".to_owned())
        );
    }

    #[test]
    fn trailing_bytes_and_unknown_types_are_errors() {
        assert!(decode::<u8>("application/json", b"1 2").is_err());
        let error = decode::<u8>("image/png", b"1").expect_err("no codec");
        assert_eq!(error, "no codec for content type `image/png`");
    }
}
