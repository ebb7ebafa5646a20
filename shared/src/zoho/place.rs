//! Where an organisation is, as messages and our state name it, and which hosts may see its token.

use reqwest::Url;

use super::config::ZohoConfig;
use super::data_center::DataCenter;
use crate::failure::Failure;

/// One organisation at its addresses. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    data_center: DataCenter,
    accounts: Url,
    api: Url,
    /// The API address was set by hand.
    fixed: bool,
    organization: String,
}

impl Place {
    /// Reads the addresses of a configuration.
    ///
    /// # Errors
    /// A configuration failure for an address that is none, or an empty organisation.
    pub fn new(config: &ZohoConfig) -> Result<Self, Failure> {
        let center = config.data_center;
        let given = |url: &Option<String>, usual: String| url.clone().unwrap_or(usual);
        let organization = config.organization_id.trim().to_owned();
        if organization.is_empty() {
            return Err(Failure::configuration("no Zoho organisation is named")
                .advise("set `organization_id`; Zoho shows it under \"Manage Organizations\""));
        }
        Ok(Self {
            data_center: center,
            accounts: address("accounts_url", &given(&config.accounts_url, center.accounts_url()))?,
            api: address("api_url", &given(&config.api_url, center.api_url()))?,
            fixed: config.api_url.is_some(),
            organization,
        })
    }

    /// Id of the organisation.
    pub fn organization(&self) -> &str {
        &self.organization
    }

    /// Names the organisation in our state, whatever API it is read through.
    pub fn identity(&self) -> String {
        format!("{}#{}", self.api.as_str().trim_end_matches('/'), self.organization)
    }

    /// Host of the API, with the port where it is not the usual one.
    pub fn host(&self) -> String {
        host(&self.api)
    }

    pub(super) fn accounts_host(&self) -> String {
        host(&self.accounts)
    }

    pub(super) fn token_url(&self) -> Url {
        below(&self.accounts, &["oauth", "v2", "token"])
    }

    /// A page that needs no token and is no call of any organisation.
    pub(super) fn server_info_url(&self) -> Url {
        below(&self.accounts, &["oauth", "serverinfo"])
    }

    /// The API address to use with a token: the one that came with it where that is one of Zoho's own over https, unless an
    /// address was set by hand. A token is never sent to a host because an answer says so.
    pub(super) fn api_for(&self, api_domain: Option<&str>) -> Url {
        let told = api_domain.and_then(|text| Url::parse(text).ok()).filter(|url| {
            url.scheme() == "https"
                && url.port().is_none()
                && url.host_str().is_some_and(DataCenter::is_api_host)
        });
        match told {
            Some(url) if !self.fixed => {
                let mut url = url;
                url.set_path("");
                url.set_query(None);
                url.set_fragment(None);
                // Neither can fail for an https address.
                let cleared = url.set_username("").and_then(|()| url.set_password(None));
                debug_assert!(cleared.is_ok());
                url
            }
            _ => self.api.clone(),
        }
    }
}

/// `base` with further path segments; each is percent-encoded.
pub(super) fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Host, with the port where it is not the usual one.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn address(setting: &str, text: &str) -> Result<Url, Failure> {
    let wrong = || {
        Failure::configuration(format!("`{setting}` of the Zoho account is no http or https address"))
            .advise("leave it out, and set the data centre instead")
    };
    let mut url = Url::parse(text.trim()).map_err(|error| wrong().because(error))?;
    let plain = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !plain || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong());
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoho::ZohoSecret;

    fn config() -> ZohoConfig {
        let secret = ZohoSecret {
            client_id: "1000.CLIENT".to_owned(),
            client_secret: "s3cret".into(),
            refresh_token: "1000.r3fresh".into(),
        };
        ZohoConfig::new(DataCenter::Eu, "20061234567", secret)
    }

    #[test]
    fn told_api_domain_is_taken_only_when_it_is_zohos_own() {
        let place = Place::new(&config()).unwrap();
        let api = |told: &str| place.api_for(Some(told)).to_string();
        assert_eq!(api("https://www.zohoapis.in"), "https://www.zohoapis.in/");
        assert_eq!(api("https://me:pw@www.zohoapis.in/x?y#z"), "https://www.zohoapis.in/");
        for foreign in [
            "https://www.zohoapis.eu.evil.example",
            "http://www.zohoapis.in",
            "https://www.zohoapis.in:8443",
            "https://evil.example/www.zohoapis.in",
            "www.zohoapis.in",
            "",
        ] {
            assert_eq!(api(foreign), "https://www.zohoapis.eu/", "{foreign}");
        }
        assert_eq!(place.api_for(None).as_str(), "https://www.zohoapis.eu/");
    }

    #[test]
    fn address_set_by_hand_stays() {
        let mut config = config();
        config.api_url = Some("http://127.0.0.1:4000/zoho/".to_owned());
        let place = Place::new(&config).unwrap();
        assert_eq!(place.api_for(Some("https://www.zohoapis.in")).as_str(), "http://127.0.0.1:4000/zoho/");
        assert_eq!(place.identity(), "http://127.0.0.1:4000/zoho#20061234567");
        assert_eq!(place.host(), "127.0.0.1:4000");
    }

    #[test]
    fn address_that_is_none_is_a_configuration_failure_without_its_text() {
        for url in ["zoho", "ftp://zoho.example", "https://me:s3cret@zoho.example", ""] {
            let mut config = config();
            config.accounts_url = Some(url.to_owned());
            let failure = Place::new(&config).unwrap_err();
            let shown = format!("{failure:#}");
            assert!(failure.reason.is_configuration());
            assert!(shown.contains("accounts_url") && !shown.contains("s3cret"), "{shown}");
        }
        let mut config = config();
        config.organization_id = " ".to_owned();
        assert!(Place::new(&config).unwrap_err().to_string().contains("organization_id"));
    }

    #[test]
    fn segments_are_encoded() {
        let base = Url::parse("http://h/p/").unwrap();
        assert_eq!(below(&base, &["a", "b/../c"]).as_str(), "http://h/p/a/b%2F..%2Fc");
    }
}
