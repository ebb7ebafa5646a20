//! Zoho's data centres: an account lives in one, and its tokens are worth nothing in another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A data centre, by the end of its host names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DataCenter {
    /// United States, `com`.
    Com,
    /// Europe, `eu`.
    Eu,
    /// India, `in`.
    In,
    /// Australia, `com.au`.
    ComAu,
    /// Japan, `jp`.
    Jp,
    /// Canada, `ca`; its accounts live under another name than its API.
    Ca,
    /// China, `com.cn`.
    ComCn,
    /// Saudi Arabia, `sa`.
    Sa,
    /// United Kingdom, `uk`.
    Uk,
    /// United Arab Emirates, `ae`.
    Ae,
}

impl DataCenter {
    /// Every data centre.
    pub const ALL: [Self; 10] = [
        Self::Com,
        Self::Eu,
        Self::In,
        Self::ComAu,
        Self::Jp,
        Self::Ca,
        Self::ComCn,
        Self::Sa,
        Self::Uk,
        Self::Ae,
    ];

    /// As the configuration names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Com => "com",
            Self::Eu => "eu",
            Self::In => "in",
            Self::ComAu => "com.au",
            Self::Jp => "jp",
            Self::Ca => "ca",
            Self::ComCn => "com.cn",
            Self::Sa => "sa",
            Self::Uk => "uk",
            Self::Ae => "ae",
        }
    }

    /// Where its tokens are made. The host of `ae` is inferred from the others, no page of Zoho's names it.
    pub fn accounts_url(self) -> String {
        match self {
            Self::Ca => "https://accounts.zohocloud.ca".to_owned(),
            other => format!("https://accounts.zoho.{}", other.as_str()),
        }
    }

    /// Where its API is. The old hosts `inventory.zoho.*` and `books.zoho.*` refuse calls.
    pub fn api_url(self) -> String {
        format!("https://{}", self.api_host())
    }

    /// Whether this is the API host of a data centre: the only hosts beside the configured one that ever get a token.
    pub(crate) fn is_api_host(host: &str) -> bool {
        Self::ALL.iter().any(|center| center.api_host().eq_ignore_ascii_case(host))
    }

    fn api_host(self) -> String {
        format!("www.zohoapis.{}", self.as_str())
    }
}

impl fmt::Display for DataCenter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no data centre has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no data centre of Zoho: use com, eu, in, com.au, jp, ca, com.cn, sa, uk or ae")]
pub struct UnknownDataCenter(String);

impl FromStr for DataCenter {
    type Err = UnknownDataCenter;

    fn from_str(text: &str) -> Result<Self, UnknownDataCenter> {
        Self::ALL
            .into_iter()
            .find(|center| center.as_str() == text)
            .ok_or_else(|| UnknownDataCenter(text.to_owned()))
    }
}

impl TryFrom<String> for DataCenter {
    type Error = UnknownDataCenter;

    fn try_from(text: String) -> Result<Self, UnknownDataCenter> {
        text.parse()
    }
}

impl From<DataCenter> for String {
    fn from(center: DataCenter) -> Self {
        center.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for center in DataCenter::ALL {
            assert_eq!(center.to_string().parse(), Ok(center));
        }
        assert!("fr".parse::<DataCenter>().unwrap_err().to_string().contains("com.au"));
    }

    #[test]
    fn canada_has_two_names() {
        assert_eq!(DataCenter::Ca.accounts_url(), "https://accounts.zohocloud.ca");
        assert_eq!(DataCenter::Ca.api_url(), "https://www.zohoapis.ca");
        assert_eq!(DataCenter::ComAu.accounts_url(), "https://accounts.zoho.com.au");
    }

    #[test]
    fn only_whole_api_hosts_are_zohos_own() {
        assert!(DataCenter::is_api_host("www.zohoapis.eu"));
        for foreign in
            ["zohoapis.eu", "www.zohoapis.eu.evil.example", "evil-www.zohoapis.eu", "www.zohoapis.fr", ""]
        {
            assert!(!DataCenter::is_api_host(foreign), "{foreign}");
        }
    }
}
