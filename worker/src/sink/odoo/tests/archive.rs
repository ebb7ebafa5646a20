//! Archived records are found, updated and stay what they are, unless a column says otherwise.

use serde_json::json;
use shared::record::Outcome;

use super::stand::{Stand, VERSIONS, all, items, job, key, outcomes, settings};

#[tokio::test]
async fn archived_record_is_updated_and_stays_archived() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        outcomes(&mut sink, &items(2)).await;
        let keys = [key("1"), key("nobody")];
        let ended: Vec<_> = sink.archive(&keys).await.unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(ended, [Outcome::Updated, Outcome::Unchanged]);
        let template = stand.product("1", &["product_tmpl_id"])["product_tmpl_id"][0].as_i64().unwrap();
        let is_active = || {
            stand.control().row("product.template", template, &["active"]).unwrap().unwrap()["active"].clone()
        };
        assert_eq!(is_active(), json!(false));
        let mut jobs = items(2);
        jobs[0].values.insert("name".to_owned(), json!("renamed"));
        assert_eq!(outcomes(&mut sink, &jobs).await, [Outcome::Updated, Outcome::Unchanged]);
        let row = stand.product("1", &["name", "active"]);
        assert_eq!((&row["name"], &row["active"]), (&json!("renamed"), &json!(false)));
        assert_eq!(stand.sizes(), (2, 2));
        stand.counts();
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Unchanged));
        assert_eq!(sink.archive(&keys).await.unwrap()[0].as_ref().unwrap(), &Outcome::Unchanged);
        assert_eq!(stand.counts().rows_written, 0);
        assert_eq!(sink.unarchive(&keys).await.unwrap()[0].as_ref().unwrap(), &Outcome::Updated);
        assert_eq!(is_active(), json!(true));
    }
}

#[tokio::test]
async fn column_active_archives_variant_and_template_together() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.open(settings(), &["name", "active"]).await.unwrap();
        let product =
            |key: usize, active: bool| job(key, json!({"name": format!("n{key}"), "active": active}));
        let jobs = [product(1, false), product(2, true)];
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Created));
        let active = |key: &str| {
            let row = stand.product(key, &["active", "product_tmpl_id"]);
            let template = row["product_tmpl_id"][0].as_i64().unwrap();
            let template = stand.control().row("product.template", template, &["active"]).unwrap().unwrap();
            (row["active"].as_bool().unwrap(), template["active"].as_bool().unwrap())
        };
        assert_eq!((active("1"), active("2")), ((false, false), (true, true)));
        stand.counts();
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Unchanged));
        assert_eq!(stand.counts().rows_written, 0);
        assert!(all(&outcomes(&mut sink, &[product(1, true), product(2, false)]).await, Outcome::Updated));
        assert_eq!((active("1"), active("2")), ((true, true), (false, false)));
        assert_eq!(stand.sizes(), (2, 2));
    }
}
