//! What keeps access tokens in the state from whoever reads it: sealed under a key that only those can derive who have the
//! account's secrets.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::config::ZohoSecret;
use crate::failure::{DEFECT, Failure};

/// Separates our keys from those that others derive from the same secrets.
const SALT: &[u8] = b"catalog-sync zoho token 1";

/// The key of one set of secrets, and a name for it. With other secrets both are others: what was sealed is not found.
pub(super) struct Seal {
    name: String,
    key: RandomizedNonceKey,
}

/// So many bytes of key.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Seal {
    /// For these secrets at this accounts server.
    ///
    /// # Errors
    /// None that is known: the lengths are right.
    pub(super) fn new(secret: &ZohoSecret, accounts: &str) -> Result<Self, Failure> {
        let mut material = Vec::new();
        for part in [
            accounts,
            &secret.client_id,
            secret.client_secret.expose_secret(),
            secret.refresh_token.expose_secret(),
        ] {
            // With their lengths: no other parts have the same bytes.
            material.extend((part.len() as u64).to_be_bytes());
            material.extend(part.as_bytes());
        }
        let derived = Salt::new(HKDF_SHA256, SALT).extract(&material);
        let name = u64::from_be_bytes(expand(&derived, b"name")?);
        let key: [u8; 32] = expand(&derived, b"key")?;
        Ok(Self {
            name: format!("{name:016x}"),
            key: RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| broken())?,
        })
    }

    /// Names the secrets and tells nothing of them.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A text that only these secrets open.
    ///
    /// # Errors
    /// None that is known.
    pub(super) fn seal(&self, text: &str) -> Result<String, Failure> {
        let mut sealed = text.as_bytes().to_vec();
        let nonce = self.key.seal_in_place_append_tag(Aad::from(&self.name), &mut sealed);
        let nonce = nonce.map_err(|_| broken())?;
        Ok(BASE64_STANDARD.encode([nonce.as_ref().as_slice(), &sealed].concat()))
    }

    /// What was sealed; `None` where it was not by us, or was changed since.
    pub(super) fn open(&self, sealed: &str) -> Option<SecretString> {
        let mut bytes = BASE64_STANDARD.decode(sealed).ok()?;
        let (nonce, rest) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.key.open_in_place(nonce, Aad::from(&self.name), rest).ok()?;
        Some(String::from_utf8(opened.to_vec()).ok()?.into())
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("name", &self.name).finish_non_exhaustive()
    }
}

fn expand<const N: usize>(derived: &Prk, info: &[u8]) -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    let parts = [info];
    let expanded = derived.expand(&parts, Length(N)).and_then(|output| output.fill(&mut bytes));
    expanded.map_err(|_| broken())?;
    Ok(bytes)
}

fn broken() -> Failure {
    Failure::configuration("the library that seals access tokens does not work on this machine")
        .advise(DEFECT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(refresh_token: &str) -> ZohoSecret {
        ZohoSecret {
            client_id: "1000.CLIENT".to_owned(),
            client_secret: "s3cret".into(),
            refresh_token: refresh_token.into(),
        }
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_secrets_alone_and_never_looks_the_same() {
        let seal = Seal::new(&secret("r"), "accounts.zoho.eu").unwrap();
        let sealed = seal.seal("1000.t0ken").unwrap();
        let again = Seal::new(&secret("r"), "accounts.zoho.eu").unwrap();
        assert_eq!(again.open(&sealed).unwrap().expose_secret(), "1000.t0ken");
        assert_ne!(seal.seal("1000.t0ken").unwrap(), sealed);
        for (other, accounts) in [("R", "accounts.zoho.eu"), ("r", "accounts.zoho.com")] {
            let other = Seal::new(&secret(other), accounts).unwrap();
            assert_ne!(other.name(), seal.name());
            assert!(other.open(&sealed).is_none());
        }
        assert!(!format!("{sealed} {seal:?}").contains("t0ken"));
    }

    #[test]
    fn what_was_changed_or_cut_is_not_opened() {
        let seal = Seal::new(&secret("r"), "accounts.zoho.eu").unwrap();
        let sealed = seal.seal("1000.t0ken").unwrap();
        let mut bytes = BASE64_STANDARD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            assert!(seal.open(&BASE64_STANDARD.encode(&bytes[..at])).is_none());
            bytes[at] ^= 1;
            assert!(seal.open(&BASE64_STANDARD.encode(&bytes)).is_none());
            bytes[at] ^= 1;
        }
    }
}
