//! What only a record's details hold: addresses of contacts, whatever the list of items leaves out. Asked for only where
//! the mapping names it, and only of records that have changed: each call counts.

use std::collections::HashMap;

use serde_json::Value;
use shared::failure::{DEFECT, Failure, Reason};
use shared::record::Values;
use shared::zoho::{Kind, Row, ZohoClient, ZohoEntity};
use tokio::task::JoinSet;

/// In a mapping, what is taken from the details, as in `detail.package_details.weight`.
const DETAIL: &str = "detail.";

/// Of contacts these are in the details alone, so that they need no such prefix.
const ADDRESSES: [&str; 2] = ["billing_address.", "shipping_address."];

/// Details of contacts under way at once; the client keeps to Zoho's limits anyway.
const AT_ONCE: usize = 4;

/// The fields of a mapping that are in the details.
pub(super) fn fields(source_fields: &[&str]) -> Vec<String> {
    source_fields.iter().filter(|name| path(name).is_some()).map(|name| (*name).to_owned()).collect()
}

/// Where a field is in the details: keys, the outer one first.
fn path(name: &str) -> Option<Vec<&str>> {
    let path = match name.strip_prefix(DETAIL) {
        Some(path) => path,
        None => ADDRESSES.iter().any(|address| name.starts_with(address)).then_some(name)?,
    };
    Some(path.split('.').collect())
}

/// Puts what the details say into a row of the list.
pub(super) fn merge(fields: &[String], details: &Values, row: &mut Values) {
    for name in fields {
        let keys = path(name).unwrap_or_default();
        let Some((first, rest)) = keys.split_first() else { continue };
        let outer = details.get(*first);
        let value = rest.iter().fold(outer, |value, key| value?.get(*key));
        row.insert(name.clone(), value.cloned().unwrap_or(Value::Null));
    }
}

/// The details of records by id; those that Zoho no longer has are left out.
pub(super) async fn of(
    client: &ZohoClient,
    entity: &ZohoEntity,
    ids: &[String],
) -> Result<HashMap<String, Values>, Failure> {
    let by_id = |row: Row| (row.id(), row.into_values());
    if entity.kind == Kind::Items {
        let details = client.item_details(entity.api, ids).await?;
        return Ok(details.rows.into_iter().map(by_id).collect());
    }
    let mut found = HashMap::with_capacity(ids.len());
    let mut asking: JoinSet<Result<Row, Failure>> = JoinSet::new();
    let mut ids = ids.iter().cloned();
    loop {
        while asking.len() < AT_ONCE
            && let Some(id) = ids.next()
        {
            let (client, api, kind) = (client.clone(), entity.api, entity.kind);
            asking.spawn(async move { client.record(api, kind, &id).await });
        }
        match asking.join_next().await {
            None => return Ok(found),
            Some(Ok(Ok(row))) => found.extend([by_id(row)]),
            Some(Ok(Err(failure))) if failure.reason == Reason::Missing => {}
            Some(Ok(Err(failure))) => return Err(failure),
            Some(Err(error)) => {
                return Err(Failure::systemic(Reason::Crashed, "reading details crashed")
                    .advise(DEFECT)
                    .because(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_found_by_their_path_and_what_is_not_there_is_null() {
        let fields =
            fields(&["email", "billing_address.city", "detail.notes", "detail.a.b", "shipping_address.zip"]);
        assert_eq!(fields, ["billing_address.city", "detail.notes", "detail.a.b", "shipping_address.zip"]);
        let values = |text: &str| -> Values { serde_json::from_str(text).unwrap() };
        let details = values(r#"{"email":"x@y","billing_address":{"city":"Albany"},"notes":"n","a":7}"#);
        let mut row = values(
            r#"{"email":"a@b","billing_address.city":null,"detail.notes":null,"detail.a.b":1,"shipping_address.zip":2}"#,
        );
        merge(&fields, &details, &mut row);
        let merged = r#"{"email":"a@b","billing_address.city":"Albany","detail.notes":"n","detail.a.b":null,"shipping_address.zip":null}"#;
        assert_eq!(row, values(merged));
    }
}
