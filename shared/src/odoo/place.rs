//! Where an Odoo database is, as messages and our state name it.

use reqwest::Url;

use crate::failure::Failure;

/// One database of one server, and the user we are there. Holds no secret: a user name and password written into the
/// address are dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    base: Url,
    database: String,
    user: Option<String>,
}

impl Place {
    /// Parses the address: `http` or `https`, a path prefix is kept, a slash at the end is not needed.
    ///
    /// # Errors
    /// A configuration failure when the address is no such address or the database has no name.
    pub fn new(url: &str, database: &str, user: Option<&str>) -> Result<Self, Failure> {
        let advice = "write it like https://erp.example.com";
        let mut base = Url::parse(url.trim()).map_err(|error| {
            Failure::configuration("the address of the Odoo server cannot be read")
                .because(error)
                .advise(advice)
        })?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(Failure::configuration("the address of the Odoo server is no http or https address")
                .advise(advice));
        }
        if database.trim().is_empty() {
            return Err(Failure::configuration("the name of the Odoo database is empty")
                .advise("set `database`; for Odoo Online it is the first part of the host name"));
        }
        // Neither can fail: they are refused only for addresses without a host.
        let cleared = base.set_username("").and_then(|()| base.set_password(None));
        debug_assert!(cleared.is_ok());
        base.set_query(None);
        base.set_fragment(None);
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        Ok(Self { base, database: database.to_owned(), user: user.map(str::to_owned) })
    }

    /// Host, with the port where it is not the usual one.
    pub fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        match self.base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Login of the user, where one is configured.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Names the database in our state: normalised address and database, whoever the user is.
    pub fn identity(&self) -> String {
        format!("{}#{}", self.address(), self.database)
    }

    /// The address without a slash at the end.
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The user as a sentence names it.
    pub(super) fn whose(&self) -> String {
        match &self.user {
            Some(user) => format!("user '{user}'"),
            None => "the user of the API key".to_owned(),
        }
    }

    /// The address of a path that starts with a slash.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address())
    }

    /// What the address should be when the server sends `path` on to `location`: the part before the path, or the whole
    /// location without its query when it ends otherwise.
    pub(super) fn moved_to(&self, location: &str, path: &str) -> Option<String> {
        let mut target = Url::parse(&self.url(path)).ok()?.join(location).ok()?;
        target.set_query(None);
        target.set_fragment(None);
        target.set_username("").ok()?;
        target.set_password(None).ok()?;
        let target = target.as_str().trim_end_matches('/');
        Some(target.strip_suffix(path).unwrap_or(target).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Place {
        Place::new(url, "shop", None).unwrap()
    }

    #[test]
    fn one_database_has_one_identity_however_it_is_written() {
        for url in
            ["https://erp.example", "https://ERP.example:443/", " https://me:secret@erp.example//?db=x#top"]
        {
            assert_eq!(place(url).identity(), "https://erp.example#shop", "{url}");
        }
        assert_ne!(place("https://erp.example/odoo").identity(), place("https://erp.example").identity());
    }

    #[test]
    fn path_prefix_and_port_are_kept() {
        let place = place("http://localhost:8069/erp/");
        assert_eq!(place.url("/jsonrpc"), "http://localhost:8069/erp/jsonrpc");
        assert_eq!(place.host(), "localhost:8069");
    }

    #[test]
    fn address_that_is_none_is_a_configuration_failure_without_its_text() {
        for url in ["erp.example", "ftp://me:secret@erp.example", "", "https://", "me:secret@erp.example"] {
            let failure = Place::new(url, "shop", None).unwrap_err();
            assert!(failure.reason.is_configuration());
            assert!(!format!("{failure:#}").contains("secret"), "{failure:#}");
        }
        assert!(Place::new("https://erp.example", " ", None).is_err());
    }

    #[test]
    fn redirect_is_told_as_the_address_to_set() {
        let moved = |location| place("http://erp.example/shop").moved_to(location, "/jsonrpc").unwrap();
        assert_eq!(moved("https://erp.example/shop/jsonrpc"), "https://erp.example/shop");
        assert_eq!(moved("/other/jsonrpc"), "http://erp.example/other");
        assert_eq!(moved("https://me:secret@sso.example/login?x=1"), "https://sso.example/login");
    }
}
