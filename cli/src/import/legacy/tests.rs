use super::*;

fn file(name: &str, text: &[u8]) -> (tempfile::TempDir, Found) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let found = Found::look(&[path]).unwrap();
    (folder, found)
}

fn refused(name: &str, text: &str) -> String {
    let (_folder, found) = file(name, text.as_bytes());
    let failure = Legacy::read(&found).unwrap_err();
    assert!(failure.reason.is_configuration());
    let told = format!("{failure:#}");
    assert!(told.contains(name), "{told}");
    told
}

const ZOHO: &str = r#"{"zoho_books": {"base_url": "https://www.zohoapis.com/books/v3",
  "client_id": "1000.C", "client_secret": "s3cret", "refresh_token": "r3fresh", "organization_id": 20061234567}}"#;

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_read() {
    let text = format!("\u{feff}{}", ZOHO.replace('\n', "\r\n"));
    let (_folder, found) = file("zoho_config.json", text.as_bytes());
    let legacy = Legacy::read(&found).unwrap();
    assert_eq!(legacy.zoho.unwrap().organization_id, "20061234567");
}

#[test]
fn what_is_broken_is_named_with_line_and_column() {
    for (text, says) in [
        ("{\n \"products\": {,}}", "line 2, column 15"),
        ("{\n \"products\": {\"1\": {\"odoo_id\"", "cut off"),
        ("", "is empty"),
        (" \r\n", "is empty"),
        (r#"{"products": {}, "version": 2}"#, "unknown field `version`"),
        (r#"{"products": {"1": {"odoo_id": 5, "image_md5": "x"}}}"#, "unknown field `image_md5`"),
        (r#"{"products": []}"#, "invalid type"),
        (r#"{"products": {"1": {"odoo_id": "5"}}}"#, "invalid type"),
        (r#"{"products": {"1": {"odoo_id": -5}}}"#, "product \"1\""),
        (r#"{"products": {"a b": {"odoo_id": 5}}}"#, "no id of a Zoho item"),
        (r#"{"products": {"1": {"odoo_id": 5, "last_modified": "yesterday"}}}"#, "is no time"),
        (r#"{"last_sync": null}"#, "missing field `products`"),
    ] {
        let told = refused("product_sync_data.json", text);
        assert!(told.contains(says), "{text}: {told}");
    }
    for (text, says) in [
        (r#"{"enabled": "yes"}"#, "line 1, column 17"),
        (r#"{"sync_interval_hours": 0}"#, "sync_interval_hours"),
        (r#"{"force_full_sync_days": 0}"#, "force_full_sync_days"),
        (r#"{"notifications": {"mail": "x"}}"#, "unknown field `mail`"),
    ] {
        let told = refused("sync_schedule.json", text);
        assert!(told.contains(says), "{text}: {told}");
    }
    for text in
        ["[]", "{}", "12", r#""yesterday""#, r#"{"last_sync": 5}"#, r#"{"when": "2025-10-11 09:12:05"}"#]
    {
        refused("last_sync.json", text);
    }
    for text in ["{}", r#"{"a": [], "b": []}"#, "[1]", r#"[{"name": "x"}]"#, r#"[{"id": 1}, {"id": 1}]"#] {
        refused("odoo_customers.json", text);
    }
}

#[test]
fn no_secret_is_in_what_is_said_of_a_broken_file() {
    for text in [
        ZOHO.replace("\"r3fresh\"", "[\"r3fresh\"]"),
        ZOHO.replace("\"s3cret\"", "{\"s3cret\": 1}"),
        ZOHO.replace("\"r3fresh\",", "\"r3fresh\" \"s3cret\""),
        ZOHO.replace("{\"zoho_books\": {", "{\"zoho_books\": \"s3cret\", \"x\": {"),
        ZOHO.get(..ZOHO.len() - 60).unwrap().to_owned(),
    ] {
        let told = refused("zoho_config.json", &text);
        assert!(!told.contains("s3cret") && !told.contains("r3fresh"), "{told}");
    }
}

#[test]
fn records_say_which_fields_they_have() {
    let text = br#"{"records": [{"id": 1, "name": "a"}, {"id": 2, "email": false, "name": "b"}]}"#;
    let (_folder, found) = file("odoo_customers.json", text);
    let legacy = Legacy::read(&found).unwrap();
    assert_eq!(
        (legacy.files[0].count, legacy.files[0].fields.as_slice()),
        (2, ["name", "email"].map(str::to_owned).as_slice())
    );
}
