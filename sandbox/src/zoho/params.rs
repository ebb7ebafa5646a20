//! Query strings and form bodies.

/// Decoded name and value pairs in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `a=1&b=2`; `+` is a blank, as in forms, which is why a bare `+` in a time's offset gets lost.
    pub(crate) fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    /// Appends the pairs of another text.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The first value of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    /// The first value of this name, unless it is empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

fn decode(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = plain(parts.next().unwrap_or_default());
    for part in parts {
        let code = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let (Some(code), Some(rest)) = (code, part.get(2..)) {
            bytes.push(code);
            bytes.extend(plain(rest));
        } else {
            bytes.push(b'%');
            bytes.extend(plain(part));
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn plain(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_a_bare_plus_is_a_blank() {
        let params = Params::read("a=x%2By&b=x+y&c=%C3%A9&d=100%&e&&a=2");
        assert_eq!(params.get("a"), Some("x+y"));
        assert_eq!(params.get("b"), Some("x y"));
        assert_eq!(params.get("c"), Some("\u{e9}"));
        assert_eq!(params.get("d"), Some("100%"));
        assert_eq!((params.get("e"), params.filled("e"), params.get("f")), (Some(""), None, None));
    }
}
