//! Binary fields, as Odoo takes them: standard base64 in a JSON text.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

/// Bytes in base64, as JSON's text, encoded once: of an image of some megabytes nobody makes another copy to quote it.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Base64(Box<RawValue>);

impl Base64 {
    /// Encodes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4 + 2);
        text.push('"');
        BASE64_STANDARD.encode_string(bytes, &mut text);
        text.push('"');
        Self(RawValue::from_string(text).expect("no character of base64 is to be escaped"))
    }

    /// The text, without quotes.
    pub fn text(&self) -> &str {
        self.0.get().trim_matches('"')
    }
}

impl std::fmt::Debug for Base64 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Base64").field("length", &self.text().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_json_as_it_stands() {
        for (bytes, text) in [(&b""[..], ""), (b"hello", "aGVsbG8="), (&[0xfb, 0xff], "+/8=")] {
            let base64 = Base64::of(bytes);
            assert_eq!(base64.text(), text);
            assert_eq!(serde_json::to_string(&base64).unwrap(), serde_json::to_string(text).unwrap());
        }
    }
}
