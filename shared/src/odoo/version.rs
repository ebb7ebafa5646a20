//! Which Odoo a server runs.

use std::fmt;

use serde_json::Value;

/// Bytes of a version in words; real ones have 20.
const TEXT_MAX: usize = 100;

/// Version of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    /// 17, 18, 19; of a rolling release such as `saas~17.4` the number before the point.
    pub major: u32,
    /// As the server says it, such as `19.0+e-20251227`.
    pub text: String,
}

impl ServerVersion {
    /// Reads the result of `/web/webclient/version_info`. The first part of `server_version_info` is a number, or text such
    /// as `saas~17` for Odoo Online.
    pub(crate) fn from_info(info: &Value) -> Option<Self> {
        let text = info.get("server_version").and_then(Value::as_str);
        let major = match info.get("server_version_info").and_then(|parts| parts.get(0)) {
            Some(Value::Number(number)) => number.as_u64().and_then(|major| u32::try_from(major).ok()),
            Some(Value::String(part)) => leading_number(part),
            _ => text.and_then(leading_number),
        }?;
        // It is shown in a line of a log: what is no version is told by its number alone.
        let text = text.filter(|text| text.len() <= TEXT_MAX && !text.chars().any(char::is_control));
        Some(Self { major, text: text.map_or_else(|| major.to_string(), str::to_owned) })
    }

    /// Whether `/json/2` is there: from Odoo 19 on.
    pub(crate) fn has_json2(&self) -> bool {
        self.major >= 19
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The first run of digits: 17 of `saas~17.4` and of `17.0-20240709`.
fn leading_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn number_and_rolling_release_are_understood() {
        let major = |info: Value| ServerVersion::from_info(&info).map(|version| version.major);
        assert_eq!(
            major(
                json!({"server_version": "17.0-20240709", "server_version_info": [17, 0, 0, "final", 0, ""]})
            ),
            Some(17)
        );
        assert_eq!(
            major(
                json!({"server_version": "saas~18.4+e", "server_version_info": ["saas~18", 4, 0, "final", 0, "e"]})
            ),
            Some(18)
        );
        assert_eq!(major(json!({"server_version": "16.0"})), Some(16));
        let odd = ServerVersion::from_info(&json!({"server_version": "17\u{0}.0"})).unwrap();
        assert_eq!((odd.major, odd.text.as_str()), (17, "17"));
        for info in [
            json!(null),
            json!({}),
            json!([]),
            json!({"server_version": "master"}),
            json!({"server_version_info": [-1]}),
        ] {
            assert_eq!(major(info), None);
        }
    }
}
