//! Secrets: from `NAME` or from the file that `NAME_FILE` names, never from the configuration file.

use secrecy::SecretString;

use crate::failure::Failure;
use crate::odoo::OdooSecret;
use crate::zoho::ZohoSecret;

/// The secret of `[odoo.NAME]`: `CATALOG_SYNC_ODOO_<NAME>_API_KEY` or `..._PASSWORD`, each also as `..._FILE`.
pub(super) fn odoo(
    name: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<OdooSecret>, Failure> {
    if let Some(secret) = read(&format!("{}_API_KEY", prefix(name)), environment)? {
        return Ok(Some(OdooSecret::ApiKey(secret)));
    }
    Ok(read(&format!("{}_PASSWORD", prefix(name)), environment)?.map(OdooSecret::Password))
}

/// The secrets of `[zoho.NAME]`: `CATALOG_SYNC_ZOHO_<NAME>_CLIENT_SECRET` and `..._REFRESH_TOKEN`, each also as
/// `..._FILE`. Nothing unless both are there.
pub(super) fn zoho(
    name: &str,
    client_id: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<ZohoSecret>, Failure> {
    let [client_secret, refresh_token] = zoho_names(name);
    let client_secret = read(&client_secret, environment)?;
    let refresh_token = read(&refresh_token, environment)?;
    Ok(client_secret.zip(refresh_token).map(|(client_secret, refresh_token)| ZohoSecret {
        client_id: client_id.to_owned(),
        client_secret,
        refresh_token,
    }))
}

/// The variables of Zoho, in words.
pub(super) fn zoho_variables(name: &str) -> String {
    let [client_secret, refresh_token] = zoho_names(name);
    format!("{client_secret} and {refresh_token} (or the same with _FILE, naming a file that holds it)")
}

fn zoho_names(name: &str) -> [String; 2] {
    let prefix = format!("CATALOG_SYNC_ZOHO_{}", name.to_uppercase().replace('-', "_"));
    ["CLIENT_SECRET", "REFRESH_TOKEN"].map(|secret| format!("{prefix}_{secret}"))
}

/// The variables of Odoo, in words.
pub(super) fn variables(name: &str) -> String {
    let prefix = prefix(name);
    format!("{prefix}_PASSWORD or {prefix}_API_KEY (or the same with _FILE, naming a file that holds it)")
}

fn prefix(name: &str) -> String {
    format!("CATALOG_SYNC_ODOO_{}", name.to_uppercase().replace('-', "_"))
}

/// The secret in the variable `name`, or in the file that `<name>_FILE` names.
pub(super) fn read(
    name: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<SecretString>, Failure> {
    let file_name = format!("{name}_FILE");
    match (environment(name), environment(&file_name)) {
        (Some(_), Some(_)) => {
            Err(Failure::configuration(format!("both {name} and {file_name} are set")).advise("unset one"))
        }
        (Some(secret), None) if secret.is_empty() => Ok(None),
        (Some(secret), None) => Ok(Some(secret.into())),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(&path).map_err(|error| {
                Failure::configuration(format!("cannot read {path}, which {file_name} names"))
                    .advise("check the path and its permissions")
                    .because(error)
            })?;
            match text.trim_end_matches(['\r', '\n']) {
                "" => Err(Failure::configuration(format!("{path}, which {file_name} names, is empty"))
                    .advise("write the secret into it")),
                secret => Ok(Some(secret.to_owned().into())),
            }
        }
        (None, None) => Ok(None),
    }
}
