//! Records are made, compared, changed.

use serde_json::json;
use shared::failure::{Class, Reason};
use shared::record::Outcome;

use super::stand::{Stand, VERSIONS, all, item, items, job, job_of, key, outcomes, settings, upsert, values};

#[tokio::test]
async fn records_are_made_once_and_a_second_run_writes_nothing() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        stand.counts();
        let jobs = items(100);
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Created));
        let counts = stand.counts();
        assert_eq!(counts.calls_of("product.product", "load"), 1, "{counts:?}");
        // External ids, the unit's model and the unit, and the one load.
        assert_eq!(counts.model_calls, 4, "{counts:?}");
        assert_eq!(stand.sizes(), (100, 100));
        let row =
            stand.product("7", &["name", "list_price", "weight", "sale_ok", "uom_id", "standard_price"]);
        assert_eq!(row["name"], json!("Thing 7 \u{4e2d} & <b> "));
        assert_eq!(row["list_price"].to_string(), "7.35");
        assert_eq!((&row["sale_ok"], &row["uom_id"]), (&json!(false), &json!([1, "Units"])));

        let dates = stand.write_dates();
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Unchanged));
        let counts = stand.counts();
        assert_eq!((counts.rows_written, counts.rows_created, counts.model_calls), (0, 0, 2), "{counts:?}");
        assert_eq!(stand.write_dates(), dates);
        assert_eq!(sink.count().await.unwrap(), 100);
    }
}

#[tokio::test]
async fn only_what_changed_is_written_and_nothing_else_is_touched() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        let mut jobs = items(100);
        outcomes(&mut sink, &jobs).await;
        // Someone changes in Odoo what no column is about.
        let id = stand.named()["3"];
        let note = sandbox::Edit::Update {
            model: "product.product".to_owned(),
            id,
            values: json!({"description_sale": "by hand"}).as_object().unwrap().clone(),
            write_date: sandbox::WriteDate::default(),
        };
        stand.control().edit(vec![note]).unwrap();
        stand.counts();
        for (at, job) in jobs.iter_mut().enumerate().take(40) {
            job.values.insert("list_price".to_owned(), json!(format!("{at}.99")));
        }
        for job in jobs.iter_mut().skip(40).take(20) {
            job.values.insert("weight".to_owned(), json!(2.5));
        }
        let ended = outcomes(&mut sink, &jobs).await;
        assert!(all(&ended[..60], Outcome::Updated) && all(&ended[60..], Outcome::Unchanged));
        let counts = stand.counts();
        assert_eq!(counts.rows_changed, 60, "{counts:?}");
        // External ids, current values, one load of prices, one write of the weight.
        assert_eq!(counts.model_calls, 4, "{counts:?}");
        assert_eq!(counts.calls_of("product.product", "write"), 1);
        assert_eq!(stand.product("3", &["description_sale"])["description_sale"], json!("by hand"));
        assert_eq!(stand.product("3", &["list_price"])["list_price"].to_string(), "2.99");
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Unchanged));
    }
}

#[tokio::test]
async fn emptied_values_are_cleared() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        outcomes(&mut sink, &items(3)).await;
        let emptied = |number: usize| {
            let mut values = values(number);
            for column in ["default_code", "barcode", "list_price", "standard_price"] {
                values[column] = json!(null);
            }
            job(number, values)
        };
        // Two by one call, and one in the other way.
        let jobs = [emptied(1), emptied(2)];
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Updated));
        let mut other = emptied(3);
        other.values.insert("weight".to_owned(), json!("3"));
        assert_eq!(outcomes(&mut sink, std::slice::from_ref(&other)).await, [Outcome::Updated]);
        for key in ["1", "3"] {
            let row = stand.product(key, &["default_code", "barcode", "list_price"]);
            assert_eq!((&row["default_code"], &row["barcode"]), (&json!(false), &json!(false)));
            assert_eq!(row["list_price"].as_f64(), Some(0.0));
        }
        assert!(all(&outcomes(&mut sink, &[emptied(1), emptied(2), other]).await, Outcome::Unchanged));
    }
}

#[tokio::test]
async fn references_are_found_by_name_external_id_and_id() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut by_name = stand.open(settings(), &["name", "uom_id"]).await.unwrap();
        let jobs = [
            job(1, json!({"name": "a", "uom_id": "kg"})),
            job(2, json!({"name": "b", "uom_id": "uom.product_uom_kgm"})),
            job(3, json!({"name": "c", "uom_id": 5})),
            job(4, json!({"name": "d", "uom_id": "pcs"})),
            job(5, json!({"name": "e", "uom_id": 4711})),
            job(6, json!({"name": "f", "uom_id": null})),
        ];
        let answers = upsert(&mut by_name, &jobs).await;
        for key in ["1", "2", "3"] {
            assert_eq!(stand.product(key, &["uom_id"])["uom_id"], json!([5, "kg"]));
        }
        for (answer, says) in answers[3..].iter().zip([
            "'pcs' does not exist in Odoo",
            "with the id 4711 does not",
            "is required in Odoo",
        ]) {
            let failure = answer.as_ref().unwrap_err();
            assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::BadRecord));
            assert!(failure.to_string().contains(says), "{failure}");
        }
        assert_eq!(stand.sizes(), (3, 3));
        let mut by_external_id = stand.open(settings(), &["name", "uom_id/id"]).await.unwrap();
        let litres = job(1, json!({"name": "a", "uom_id/id": "uom.product_uom_litre"}));
        assert_eq!(outcomes(&mut by_external_id, &[litres]).await, [Outcome::Updated]);
        let mut by_id = stand.open(settings(), &["name", "uom_id/.id"]).await.unwrap();
        let same = job(1, json!({"name": "a", "uom_id/.id": "8"}));
        assert_eq!(outcomes(&mut by_id, &[same]).await, [Outcome::Unchanged]);
    }
}

#[tokio::test]
async fn reference_is_looked_up_once_for_many_batches() {
    let stand = Stand::new(VERSIONS[0]).await;
    let mut sink = stand.sink().await;
    outcomes(&mut sink, &items(3)).await;
    stand.counts();
    outcomes(&mut sink, &[item(4), item(5)]).await;
    assert_eq!(stand.counts().calls_of("uom.uom", "search_read"), 0);
}

#[tokio::test]
async fn several_taxes_are_replaced_as_a_whole() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let taxes = stand.control().ids("account.tax").unwrap();
        let mut sink = stand.open(settings(), &["name", "taxes_id"]).await.unwrap();
        let with =
            |key: usize, taxes: &[i64]| job(key, json!({"name": format!("n{key}"), "taxes_id": taxes}));
        let both = [with(1, &taxes[..2]), with(2, &taxes[..1])];
        outcomes(&mut sink, &both).await;
        assert_eq!(stand.product("1", &["taxes_id"])["taxes_id"], json!(taxes[..2]));
        assert!(all(&outcomes(&mut sink, &both).await, Outcome::Unchanged));
        let fewer = [with(1, &taxes[1..2]), with(2, &[])];
        assert!(all(&outcomes(&mut sink, &fewer).await, Outcome::Updated));
        assert_eq!(stand.product("1", &["taxes_id"])["taxes_id"], json!(taxes[1..2]));
        assert_eq!(stand.product("2", &["taxes_id"])["taxes_id"], json!([]));
        assert!(all(&outcomes(&mut sink, &fewer).await, Outcome::Unchanged));
    }
}

#[tokio::test]
async fn newest_of_several_jobs_of_one_record_is_written() {
    let stand = Stand::new(VERSIONS[0]).await;
    let mut sink = stand.open(settings(), &["name"]).await.unwrap();
    let jobs = [
        job_of(1, json!({"name": "newer"}), 2),
        job_of(1, json!({"name": "older"}), 1),
        job_of(1, json!({"name": "newer"}), 2),
    ];
    let ended = outcomes(&mut sink, &jobs).await;
    assert_eq!(ended, [Outcome::Created, Outcome::Superseded, Outcome::Created]);
    assert_eq!(stand.product("1", &["name"])["name"], json!("newer"));
    assert_eq!(stand.sizes(), (1, 1));
}

#[tokio::test]
async fn deleted_record_is_made_again_even_where_its_external_id_is_left() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        outcomes(&mut sink, &items(3)).await;
        let ids = stand.named();
        let model = "product.product".to_owned();
        let edits = vec![
            sandbox::Edit::Delete { model: model.clone(), id: ids["1"] },
            sandbox::Edit::DeleteRow { model, id: ids["2"] },
        ];
        stand.control().edit(edits).unwrap();
        let ended = outcomes(&mut sink, &items(3)).await;
        assert_eq!(ended, [Outcome::Created, Outcome::Created, Outcome::Unchanged]);
        assert!(all(&outcomes(&mut sink, &items(3)).await, Outcome::Unchanged));
    }
}

#[tokio::test]
async fn contacts_have_no_variants_and_work_as_well() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let settings = super::super::OdooSinkSettings::new("res.partner", "zoho", "contact");
        let columns = ["name", "email", "is_company", "country_id", "comment", "active"];
        let mut sink = stand.open(settings, &columns).await.unwrap();
        let contact = |number: usize| {
            job(
                number,
                json!({
                    "name": format!("Firma {number}"), "email": null, "is_company": true, "country_id": "DE",
                    "comment": "pays late", "active": true,
                }),
            )
        };
        let jobs: Vec<_> = (0..5).map(contact).collect();
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Created));
        stand.counts();
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Unchanged));
        assert_eq!(stand.counts().rows_written, 0);
        let ids = sink.ids_of(&[key("0"), key("4"), key("nobody")]).await.unwrap();
        assert_eq!(ids.len(), 2);
    }
}
