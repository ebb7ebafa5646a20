//! Records that others refer to: made where that is wanted, looked up anew where they are gone, left out where they may be.

use sandbox::{Edit, WriteDate};
use serde_json::{Value, json};
use shared::failure::{Class, Reason};
use shared::mapping::Missing;
use shared::record::Outcome;

use super::super::{OdooSink, OdooSinkSettings};
use super::stand::{Stand, VERSIONS, all, job, job_of, outcomes, settings, upsert};

const CATEGORY: &str = "product.category";

fn with(column: &str, missing: Missing) -> OdooSinkSettings {
    OdooSinkSettings { missing: [(column.to_owned(), missing)].into(), ..settings() }
}

async fn categorised(stand: &Stand, missing: Missing) -> OdooSink {
    stand.open(with("categ_id", missing), &["name", "categ_id"]).await.unwrap()
}

fn thing(number: usize, category: &str) -> Value {
    json!({ "name": format!("Thing {number}"), "categ_id": category })
}

fn named(stand: &Stand, name: &str) -> Vec<i64> {
    let rows = stand.control().rows(CATEGORY).unwrap();
    rows.iter().filter(|row| row["name"] == name).map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn nothing_is_made_unless_the_mapping_says_so() {
    let stand = Stand::new(VERSIONS[1]).await;
    let mut sink = categorised(&stand, Missing::Fail).await;
    let before = stand.control().ids(CATEGORY).unwrap().len();
    let failure = upsert(&mut sink, &[job(1, thing(1, "Oak"))]).await.remove(0).unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::BadRecord));
    assert!(failure.to_string().contains("'Oak' does not exist in Odoo"), "{failure}");
    assert_eq!(stand.control().ids(CATEGORY).unwrap().len(), before);
}

#[tokio::test]
async fn what_many_records_refer_to_is_made_once_and_found_ever_after() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = categorised(&stand, Missing::Create).await;
        let jobs: Vec<_> =
            (1..=40).map(|number| job(number, thing(number, ["Oak", "Ash"][number % 2]))).collect();
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Created));
        let [oak] = named(&stand, "Oak")[..] else { panic!() };
        assert_eq!(stand.product("2", &["categ_id"])["categ_id"][0], oak);
        // Another worker, and no memory: nothing is written.
        let mut other = categorised(&stand, Missing::Create).await;
        stand.counts();
        assert!(all(&outcomes(&mut other, &jobs).await, Outcome::Unchanged));
        let counts = stand.counts();
        assert_eq!((counts.rows_created, counts.rows_written), (0, 0), "{counts:?}");
        // A person renames it: it is still the one that is meant.
        let renamed = Edit::Update {
            model: CATEGORY.to_owned(),
            id: oak,
            values: json!({ "name": "Solid oak" }).as_object().unwrap().clone(),
            write_date: WriteDate::Transaction,
        };
        stand.control().edit(vec![renamed]).unwrap();
        let mut third = categorised(&stand, Missing::Create).await;
        assert!(all(&outcomes(&mut third, &jobs).await, Outcome::Unchanged));
        assert_eq!(named(&stand, "Oak"), Vec::<i64>::new(), "version {version:?}");
    }
}

#[tokio::test]
async fn two_workers_that_make_the_same_make_one() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut rivals = Vec::new();
        for worker in 0..4_usize {
            let mut sink = categorised(&stand, Missing::Create).await;
            let jobs: Vec<_> =
                (0..5).map(|row| job(worker * 10 + row, thing(row, &format!("Category {row}")))).collect();
            rivals.push(tokio::spawn(async move { upsert(&mut sink, &jobs).await }));
        }
        for rival in rivals {
            for answer in rival.await.unwrap() {
                answer.unwrap();
            }
        }
        for row in 0..5 {
            assert_eq!(named(&stand, &format!("Category {row}")).len(), 1, "version {version:?}");
        }
    }
}

#[tokio::test]
async fn a_name_that_odoo_refuses_costs_only_those_that_give_it() {
    let stand = Stand::new(VERSIONS[0]).await;
    let mut sink = categorised(&stand, Missing::Create).await;
    let answers = upsert(&mut sink, &[job(1, thing(1, "All / Oak")), job(2, thing(2, "Elm"))]).await;
    let failure = answers[0].as_ref().unwrap_err();
    assert!(failure.to_string().contains("was not made (column 'categ_id')"), "{failure}");
    assert_eq!(answers[1].as_ref().unwrap().outcome, Outcome::Created);
    // A unit needs more than a name in Odoo 17.
    let mut sink = stand.open(with("uom_id", Missing::Create), &["name", "uom_id"]).await.unwrap();
    let unit = job(3, json!({ "name": "Thing", "uom_id": "carton" }));
    let failure = upsert(&mut sink, &[unit]).await.remove(0).unwrap_err();
    assert_eq!(failure.class, Class::Permanent, "{failure}");
    assert!(failure.to_string().contains("'carton' does not exist in Odoo and was not made"), "{failure}");
}

#[tokio::test]
async fn a_category_that_is_gone_is_looked_up_anew_instead_of_failing_its_records() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = categorised(&stand, Missing::Fail).await;
        let make = || Edit::Create {
            model: CATEGORY.to_owned(),
            values: json!({ "name": "Oak" }).as_object().unwrap().clone(),
            write_date: WriteDate::Transaction,
        };
        let old = stand.control().edit(vec![make()]).unwrap()[0];
        outcomes(&mut sink, &[job(1, thing(1, "Oak"))]).await;
        let elsewhere = json!({ "categ_id": 1 }).as_object().unwrap().clone();
        let move_away = Edit::Update {
            model: "product.product".to_owned(),
            id: stand.named()["1"],
            values: elsewhere,
            write_date: WriteDate::Transaction,
        };
        let delete = Edit::Delete { model: CATEGORY.to_owned(), id: old };
        let new = *stand.control().edit(vec![move_away, delete, make()]).unwrap().last().unwrap();
        assert_ne!(new, old);
        let jobs = [job_of(1, thing(1, "Oak"), 2), job(2, thing(2, "Oak")), job(3, thing(3, "Oak"))];
        assert_eq!(
            outcomes(&mut sink, &jobs).await,
            [Outcome::Updated, Outcome::Created, Outcome::Created],
            "version {version:?}"
        );
        assert_eq!(stand.product("2", &["categ_id"])["categ_id"][0], new);
    }
}

#[tokio::test]
async fn what_may_be_missing_stays_empty_and_the_rest_of_a_list_stands() {
    let stand = Stand::new(VERSIONS[1]).await;
    let mut sink = stand.open(with("taxes_id/id", Missing::Empty), &["name", "taxes_id/id"]).await.unwrap();
    let taxes = json!(["account.1_sale_tax_template", "account.1_nothing"]);
    outcomes(&mut sink, &[job(1, json!({ "name": "Thing", "taxes_id/id": taxes }))]).await;
    assert_eq!(stand.product("1", &["taxes_id"])["taxes_id"], json!([1]));
}

#[tokio::test]
async fn states_are_found_within_their_country() {
    let stand = Stand::new(VERSIONS[1]).await;
    let namesake = Edit::Create {
        model: "res.country.state".to_owned(),
        values: json!({ "name": "Other", "code": "NY", "country_id": 38 }).as_object().unwrap().clone(),
        write_date: WriteDate::Transaction,
    };
    let canadian = stand.control().edit(vec![namesake]).unwrap()[0];
    let settings = OdooSinkSettings {
        missing: [("state_id".to_owned(), Missing::Fail)].into(),
        ..OdooSinkSettings::new("res.partner", "zoho", "contact")
    };
    let mut sink = stand.open(settings, &["name", "state_id", "country_id"]).await.unwrap();
    let contact = |number: usize, state: &str, country: Value| {
        job(number, json!({ "name": format!("C{number}"), "state_id": state, "country_id": country }))
    };
    let jobs = [
        contact(1, "NY", "US".into()),
        contact(2, "NY", "Canada".into()),
        contact(3, "New York", "United States".into()),
        contact(4, "CA", "Canada".into()),
        contact(5, "NY", Value::Null),
    ];
    let answers = upsert(&mut sink, &jobs).await;
    let ids = stand.control().external_ids("res.partner");
    let state = |number: usize| {
        let row = stand.control().row("res.partner", ids[&format!("zoho.contact_{number}")], &["state_id"]);
        row.unwrap().unwrap()["state_id"][0].as_i64().unwrap()
    };
    assert_eq!((state(1), state(2), state(3)), (41, canadian, 41));
    let told = answers[3].as_ref().unwrap_err().to_string();
    assert!(told.contains("'CA' of this country does not exist in Odoo"), "{told}");
    let told = answers[4].as_ref().unwrap_err().to_string();
    assert!(told.contains("'NY' is the name of several records"), "{told}");
}

#[tokio::test]
async fn what_cannot_be_made_is_told_before_the_first_record() {
    let stand = Stand::new(VERSIONS[2]).await;
    for (column, missing, says) in [
        ("name", Missing::Create, "refers to no other record"),
        ("categ_id/id", Missing::Create, "does not call records by name"),
        ("uom_id", Missing::Empty, "is required"),
    ] {
        let failure = stand.open(with(column, missing), &["list_price", column]).await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Field), "{failure}");
        assert!(failure.to_string().contains(says), "{failure}");
    }
}
