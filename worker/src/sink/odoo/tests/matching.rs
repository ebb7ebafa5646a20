//! Records that were in Odoo before us are found by their keys and bound, or left alone.

use sandbox::{Edit, WriteDate};
use serde_json::{Value, json};
use shared::failure::{Class, Reason};
use shared::record::Outcome;

use super::stand::{Stand, VERSIONS, all, job, key, matching, outcomes, upsert};

const COLUMNS: [&str; 4] = ["name", "default_code", "barcode", "list_price"];

fn create(values: &Value) -> Edit {
    let values = values.as_object().unwrap().clone();
    Edit::Create { model: "product.product".to_owned(), values, write_date: WriteDate::default() }
}

fn product(name: &str, code: Option<&str>, barcode: Option<&str>) -> Value {
    json!({"name": name, "default_code": code, "barcode": barcode, "list_price": "10"})
}

#[tokio::test]
async fn records_are_matched_by_the_first_key_that_fits_and_bound() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let made = stand
            .control()
            .edit(vec![
                create(&json!({"name": "By code", "default_code": "A-1"})),
                create(&json!({"name": "By barcode", "barcode": "4006381333931"})),
                create(&json!({"name": "By name"})),
                create(&json!({"name": "Archived", "default_code": "A-4"})),
            ])
            .unwrap();
        stand
            .control()
            .edit(vec![Edit::Archive { model: "product.product".to_owned(), id: made[3], active: false }])
            .unwrap();
        let mut sink = stand.open(matching(), &COLUMNS).await.unwrap();
        let jobs = [
            job(1, product("One", Some("A-1"), None)),
            job(2, product("Two", Some("A-2"), Some("4006381333931"))),
            job(3, product("By name", None, None)),
            job(4, product("Four", Some("A-4"), None)),
            job(5, product("New", Some("A-5"), None)),
        ];
        stand.counts();
        let ended = outcomes(&mut sink, &jobs).await;
        assert!(all(&ended[..4], Outcome::Updated));
        assert_eq!(ended[4], Outcome::Created);
        let named = stand.named();
        assert_eq!(["1", "2", "3", "4"].map(|key| named[key]).as_slice(), made.as_slice());
        let row = stand.product("4", &["name", "active"]);
        assert_eq!((&row["name"], &row["active"]), (&json!("Four"), &json!(false)));
        assert_eq!(stand.sizes().0, 5);
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Unchanged));
    }
}

#[tokio::test]
async fn record_that_is_ours_already_is_not_given_away() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.open(matching(), &COLUMNS).await.unwrap();
        assert_eq!(outcomes(&mut sink, &[job(1, product("Mug", Some("M"), None))]).await, [Outcome::Created]);
        // The source has two of the same code and name.
        assert_eq!(outcomes(&mut sink, &[job(2, product("Mug", Some("M"), None))]).await, [Outcome::Created]);
        assert_eq!(stand.sizes(), (2, 2));
        assert!(stand.named()["1"] != stand.named()["2"]);
    }
}

#[tokio::test]
async fn ambiguous_records_are_named_and_nothing_is_written() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let made = stand
            .control()
            .edit(vec![
                create(&json!({"name": "Cup red", "default_code": "C"})),
                create(&json!({"name": "Cup blue", "default_code": "C"})),
                create(&json!({"name": "Plate", "default_code": "P"})),
            ])
            .unwrap();
        stand.counts();
        let mut sink = stand.open(matching(), &COLUMNS).await.unwrap();
        let jobs = [
            job(1, product("Cup", Some("C"), None)),
            job(2, product("Plate 1", Some("P"), None)),
            job(3, product("Plate 2", Some("P"), None)),
        ];
        let answers = upsert(&mut sink, &jobs).await;
        let told: Vec<String> = answers
            .iter()
            .map(|answer| {
                let failure = answer.as_ref().unwrap_err();
                assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::BadRecord));
                failure.to_string()
            })
            .collect();
        assert!(
            told[0].contains(&format!("Cup red' (id {})", made[0])) && told[0].contains("Cup blue"),
            "{}",
            told[0]
        );
        assert!(
            told[1].contains("2 records of the source have Internal Reference 'P'")
                && told[1].contains("2, 3"),
            "{}",
            told[1]
        );
        assert_eq!(stand.counts().rows_written, 0);
        assert_eq!((stand.sizes().0, stand.named().len()), (3, 0));
    }
}

#[tokio::test]
async fn unbound_record_is_no_longer_ours_and_stays() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.open(matching(), &COLUMNS).await.unwrap();
        let mug = job(1, product("Mug", Some("M"), None));
        outcomes(&mut sink, std::slice::from_ref(&mug)).await;
        assert_eq!(sink.count().await.unwrap(), 1);
        assert!(sink.unbind(&key("1")).await.unwrap());
        assert!(!sink.unbind(&key("1")).await.unwrap());
        assert_eq!((sink.count().await.unwrap(), stand.sizes()), (0, (1, 1)));
        // Bound again by its code, with nothing but the external id written.
        assert_eq!(outcomes(&mut sink, &[mug]).await, [Outcome::Updated]);
        assert_eq!((stand.named().len(), stand.sizes()), (1, (1, 1)));
    }
}

#[tokio::test]
async fn external_id_of_another_model_is_refused_in_words() {
    let stand = Stand::new(VERSIONS[0]).await;
    let partner = stand.control().ids("res.partner").unwrap()[0];
    let name =
        Edit::Name { external_id: "zoho.item_1".to_owned(), model: "res.partner".to_owned(), id: partner };
    stand.control().edit(vec![name]).unwrap();
    let mut sink = stand.open(matching(), &COLUMNS).await.unwrap();
    let jobs = [job(1, product("a", None, None)), job(2, product("b", None, None))];
    let answers = upsert(&mut sink, &jobs).await;
    let failure = answers[0].as_ref().unwrap_err();
    assert!(
        failure.to_string().contains("belongs to record") && failure.to_string().contains("'res.partner'"),
        "{failure}"
    );
    assert_eq!(answers[1].as_ref().unwrap().outcome, Outcome::Created);
}

#[tokio::test]
async fn a_hundred_records_are_bound_in_a_few_calls() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let made = (0..100).map(|number| {
            create(&json!({"name": format!("Thing {number}"), "default_code": format!("T-{number}"), "list_price": 10}))
        });
        stand.control().edit(made.collect()).unwrap();
        let mut sink = stand.open(matching(), &COLUMNS).await.unwrap();
        stand.counts();
        let same = |number: usize| {
            job(number, product(&format!("Thing {number}"), Some(&format!("T-{number}")), None))
        };
        let jobs: Vec<_> = (0..100).map(same).collect();
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Updated));
        let counts = stand.counts();
        // Our external ids, who has the codes, whose they are, naming them, looking again, current values.
        assert_eq!((counts.model_calls, counts.rows_written), (6, 0), "{counts:?}");
        assert_eq!((stand.sizes(), stand.named().len()), ((100, 100), 100));
    }
}
