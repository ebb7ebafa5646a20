//! The configuration that takes the place of the old systems' files. It holds no secret.

use serde_json::{Map, Value};
use shared::failure::Failure;
use shared::zoho::DataCenter;

use super::find::Kind;
use super::legacy::{Legacy, ProductMapping, Records, Schedule, Zoho};
use crate::arguments::Import;

/// What Zoho calls a piece, in the usual mapping.
const PIECES: [&str; 9] = ["pcs", "pc", "piece", "pieces", "nos", "ea", "each", "unit", "units"];

/// Fields that every item of Zoho has.
const ALWAYS: [&str; 3] = ["name", "rate", "status"];

/// The file's text. The same files and arguments give the same text.
pub(super) fn configuration(import: &Import, legacy: &Legacy) -> Result<String, Failure> {
    let mut text = String::from(
        "# Written by `catalog-sync import`. Secrets are not in here, they come from the environment:\n\
         #   CATALOG_SYNC_ODOO_ERP_PASSWORD or CATALOG_SYNC_ODOO_ERP_API_KEY\n",
    );
    if legacy.zoho.is_some() {
        text += "#   CATALOG_SYNC_ZOHO_SHOP_CLIENT_SECRET and CATALOG_SYNC_ZOHO_SHOP_REFRESH_TOKEN\n";
    }
    text += "# each also as ..._FILE, the path of a file that holds the secret. `catalog-sync config example` shows every key.\n\
             state = \"catalog-sync.db\"\n\n";
    if let Some(schedule) = &legacy.schedule {
        service(&mut text, schedule);
    }
    odoo(&mut text, import)?;
    let items = match (&legacy.zoho, &legacy.mapping, &legacy.products) {
        (Some(zoho), mapping, _) => Some((zoho, mapping.as_ref())),
        (None, None, None) => None,
        (None, ..) => {
            return Err(Failure::configuration("the files of Zoho are there without zoho_config.json")
                .advise(
                    "name it too, or use --keep with a configuration that has a pipeline from Zoho into Odoo",
                ));
        }
    };
    if let Some((zoho, mapping)) = items {
        account(&mut text, import, zoho)?;
        pipeline(&mut text, mapping, legacy.schedule.as_ref())?;
    }
    files(&mut text, &legacy.files)?;
    Ok(text)
}

fn service(text: &mut String, schedule: &Schedule) {
    if let Some(errors) = schedule.max_consecutive_errors {
        *text += &format!("[schedule]\ndisable_after = {errors}\n\n");
    }
    if let Some(log) = schedule.notifications.as_ref().and_then(|told| told.log_file.as_ref()) {
        *text += &format!("[notify]\nlog = {}\n\n", quoted(log));
    }
}

fn odoo(text: &mut String, import: &Import) -> Result<(), Failure> {
    let (Some(url), Some(database)) = (&import.odoo_url, &import.odoo_database) else {
        return Err(Failure::configuration("the old files do not say which Odoo they are about")
            .advise("give --odoo-url and --odoo-database, and --odoo-user where a password is used"));
    };
    *text += &format!("[odoo.erp]\nurl = {}\ndatabase = {}\n", quoted(url), quoted(database));
    if let Some(user) = &import.odoo_user {
        *text += &format!("user = {}\n", quoted(user));
    }
    text.push('\n');
    Ok(())
}

fn account(text: &mut String, import: &Import, zoho: &Zoho) -> Result<(), Failure> {
    let addresses: Vec<&str> =
        [&zoho.inventory_base_url, &zoho.base_url].into_iter().flatten().map(String::as_str).collect();
    let Some(first) = addresses.first() else {
        return Err(Failure::configuration("zoho_config.json has neither base_url nor inventory_base_url")
            .advise("add the one that the old script called"));
    };
    let centers: Vec<Option<DataCenter>> = addresses.iter().map(|address| center(address)).collect();
    if centers.windows(2).any(|pair| pair.first() != pair.last()) {
        return Err(Failure::configuration(
            "the two addresses in zoho_config.json are of different data centres",
        )
        .advise("an account lives in one: correct the wrong address"));
    }
    let center = centers.first().copied().flatten();
    *text += &format!(
        "[zoho.shop]\ndata_center = \"{}\"\norganization_id = {}\nclient_id = {}\n",
        center.unwrap_or(DataCenter::Com),
        quoted(&zoho.organization_id),
        quoted(&zoho.client_id)
    );
    if zoho.inventory_base_url.is_none() {
        text.push_str("api = \"books\"\n");
    }
    match (center, &import.accounts_url) {
        (Some(_), None) => {}
        (_, Some(accounts)) => {
            let api = first.split("/inventory/").next().unwrap_or(first);
            let api = api.split("/books/").next().unwrap_or(api);
            *text += &format!("accounts_url = {}\napi_url = {}\n", quoted(accounts), quoted(api));
        }
        (None, None) => {
            return Err(Failure::configuration(format!(
                "the address {} in zoho_config.json is none of Zoho's own",
                host(first)
            ))
            .advise("correct it, or say with --accounts-url where its tokens are made"));
        }
    }
    text.push('\n');
    Ok(())
}

/// What stands between the scheme and the path.
fn host(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase()
}

/// The data centre of an address of Zoho's API, of today or of former years.
fn center(address: &str) -> Option<DataCenter> {
    let host = host(address);
    DataCenter::ALL.into_iter().find(|center| {
        let former = ["books", "inventory"].map(|api| format!("{api}.zoho.{center}"));
        center.api_url() == format!("https://{host}") || former.contains(&host)
    })
}

fn pipeline(
    text: &mut String,
    mapping: Option<&ProductMapping>,
    schedule: Option<&Schedule>,
) -> Result<(), Failure> {
    text.push_str("# Zoho's items, with their images, become products of Odoo.\n[pipeline.items]\nsource = \"zoho.shop\"\nsink = \"odoo.erp\"\nentity = \"items\"\n");
    if let Some(hours) = schedule.and_then(|schedule| schedule.sync_interval_hours) {
        *text += &format!("every = \"{}\"\n", span(hours));
    }
    if let Some(days) = schedule.and_then(|schedule| schedule.force_full_sync_days) {
        *text += &format!("full_every = \"{days}d\"\n");
    }
    let Some(mapping) = mapping else {
        text.push_str("match_by = [\"default_code\", \"name\"]\n\n");
        return Ok(());
    };
    let lines = columns(mapping)?;
    let keys: Vec<String> = ["default_code", "name"]
        .into_iter()
        .filter(|key| lines.iter().any(|(column, _)| column == key))
        .map(quoted)
        .collect();
    *text += &format!("match_by = [{}]\n", keys.join(", "));
    let defaults = &mapping.default_values;
    let is_storable =
        ["type", "detailed_type"].iter().any(|key| defaults.get(*key).is_some_and(|kind| kind == "product"));
    *text += &format!("storable = {is_storable}\n\n[pipeline.items.mapping]\n");
    for (column, value) in lines {
        *text += &format!("{} = {value}\n", key(&column));
    }
    text.push('\n');
    Ok(())
}

/// Odoo's columns with what they hold, in the order of the old mapping, and the constants behind them.
fn columns(mapping: &ProductMapping) -> Result<Vec<(String, String)>, Failure> {
    let wrong = |what: String| {
        Failure::configuration(format!("field_mapping.json: {what}"))
            .advise("correct the file, or use --keep with a configuration of your own")
    };
    let mut lines: Vec<(String, String)> = Vec::new();
    for (field, column) in &mapping.zoho_books {
        let column = column.as_str().filter(|column| !column.is_empty());
        let column = column.ok_or_else(|| wrong(format!("'{field}' has no name of a field of Odoo")))?;
        if lines.iter().any(|(known, _)| known == column) {
            return Err(wrong(format!("two fields of Zoho go to '{column}'")).advise("take one of them out"));
        }
        lines.push((column.to_owned(), source(field, column)));
    }
    for (column, value) in constants(&mapping.default_values).map_err(wrong)? {
        if !lines.iter().any(|(known, _)| *known == column) {
            lines.push((column, format!("{{ constant = {value} }}")));
        }
    }
    Ok(lines)
}

fn source(field: &str, column: &str) -> String {
    let from = if ALWAYS.contains(&field) { field.to_owned() } else { format!("{field}?") };
    match (field, column) {
        ("unit", "uom_id") => {
            let pieces: Vec<String> = PIECES.iter().map(|piece| format!("{piece} = \"Units\"")).collect();
            let pieces = pieces.join(", ");
            format!(
                "{{ from = {}, default = \"Units\", values = {{ {pieces}, \"*\" = \"*\" }} }}",
                quoted(&from)
            )
        }
        ("status", "active") => {
            "{ from = \"status\", values = { active = true, inactive = false } }".to_owned()
        }
        _ => quoted(&from),
    }
}

/// Default values as TOML. A storable product is spelt by `storable`: its name differs between versions of Odoo.
fn constants(defaults: &Map<String, Value>) -> Result<Vec<(String, String)>, String> {
    let mut constants = Vec::new();
    for (column, value) in defaults {
        let text = match value {
            Value::Null => continue,
            Value::String(kind)
                if kind == "product" && ["type", "detailed_type"].contains(&column.as_str()) =>
            {
                continue;
            }
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => quoted(text),
            Value::Array(_) | Value::Object(_) => {
                return Err(format!("the default value of '{column}' is a list or an object"));
            }
        };
        constants.push((column.clone(), text));
    }
    Ok(constants)
}

fn files(text: &mut String, files: &[Records]) -> Result<(), Failure> {
    let Some(folder) = files.first().and_then(|file| file.path.parent()) else { return Ok(()) };
    if files.iter().any(|file| file.path.parent() != Some(folder)) {
        return Err(Failure::configuration(
            "odoo_customers.json and odoo_products.json are in different folders",
        )
        .advise("put them into one"));
    }
    let folder = folder.to_str().ok_or_else(|| {
        Failure::configuration(format!("the path {} is no UTF-8", folder.display()))
            .advise("rename the folder")
    })?;
    *text += &format!("[json.files]\nfolder = {}\n\n", quoted(folder));
    for file in files {
        let entity = if file.kind == Kind::Customers { "customers" } else { "products" };
        *text += &format!(
            "[pipeline.{entity}]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"{entity}\"\n"
        );
        if !file.fields.is_empty() {
            // As the old records have them, so that those that did not change stay as they are.
            let fields: Vec<String> = file
                .fields
                .iter()
                .map(|field| if field == "name" { quoted(field) } else { quoted(&format!("{field}?")) })
                .collect();
            *text += &format!("fields = [{}]\n", fields.join(", "));
        }
        text.push('\n');
    }
    Ok(())
}

fn span(hours: f64) -> String {
    let minutes = (hours * 60.0).round();
    if minutes % 60.0 == 0.0 { format!("{}h", minutes / 60.0) } else { format!("{minutes}m") }
}

/// A text as TOML writes it between quotation marks: JSON's escapes are TOML's, but that TOML has no bare DEL.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn key(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare && !name.is_empty() { name.to_owned() } else { quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_their_data_centre() {
        for (address, expected) in [
            ("https://www.zohoapis.com/books/v3", Some(DataCenter::Com)),
            ("https://www.zohoapis.com.au/inventory/v1", Some(DataCenter::ComAu)),
            ("https://books.zoho.eu/api/v3", Some(DataCenter::Eu)),
            ("https://www.zohoapis.com.evil.example/books/v3", None),
            ("http://127.0.0.1:4000/books/v3", None),
            ("", None),
        ] {
            assert_eq!(center(address), expected, "{address}");
        }
    }

    #[test]
    fn intervals_keep_their_length() {
        for (hours, expected) in [(4.0, "4h"), (0.5, "30m"), (168.0, "168h"), (0.1, "6m")] {
            assert_eq!(span(hours), expected);
        }
    }

    #[test]
    fn any_text_is_a_toml_text() {
        for text in ["a\"b\\c", "line\nbreak\t\u{8}\u{7f}\u{0}", "ü 😀"] {
            assert_eq!(
                toml::from_str::<toml::Table>(&format!("x = {}", quoted(text))).unwrap()["x"].as_str(),
                Some(text)
            );
        }
        assert_eq!((key("uom_id").as_str(), key("uom_id/id").as_str()), ("uom_id", "\"uom_id/id\""));
    }
}
