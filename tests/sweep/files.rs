//! Records that Odoo no longer has, and JSON files.

use sandbox::{Edit, OdooSandbox, OdooVersion, WriteDate};
use serde_json::{Value, json};

use crate::place::{Place, Ran};
use crate::shop::fields;
use crate::truth::{assert_file_holds, records, sandbox_of};

const MODEL: &str = "product.template";

/// Products alone, with these lines more.
pub(super) async fn place_of(sandbox: &OdooSandbox, more: &str) -> Place {
    let place = Place::new(sandbox);
    place.reconfigure("entity = \"products\"\n", &format!("entity = \"products\"\n{more}"));
    place.run(&["sync", "products"]).await.expect(0, &[]);
    place
}

async fn sweep(place: &Place, more: &[&str]) -> Ran {
    place.run(&[&["sync", "products", "--sweep", "--json"], more].concat()).await
}

fn report(ran: &Ran) -> Value {
    ran.json()["pipelines"][0].clone()
}

pub(super) fn delete(sandbox: &OdooSandbox, at: impl Iterator<Item = usize>) -> Vec<i64> {
    let ids = sandbox.control().ids(MODEL).unwrap();
    let gone: Vec<i64> = at.map(|at| ids[at]).collect();
    let edits = gone.iter().map(|id| Edit::Delete { model: MODEL.to_owned(), id: *id }).collect();
    sandbox.control().edit(edits).unwrap();
    gone
}

pub(super) fn of(place: &Place, id: i64) -> Option<Value> {
    records(&place.products()).into_iter().find(|record| record["id"] == id)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_odoo_deleted_is_taken_out_of_the_file_where_that_is_configured() {
    for version in [OdooVersion::V17, OdooVersion::V18, OdooVersion::V19] {
        let sandbox = sandbox_of(version).await;
        let place = place_of(&sandbox, "gone = \"remove\"\n").await;
        let gone = delete(&sandbox, [3, 7, 400].into_iter());
        place.run(&["sync", "products"]).await.expect(0, &[]);
        assert!(of(&place, gone[0]).is_some(), "an ordinary run cannot know it");
        let before = sandbox.control().ids(MODEL).unwrap().len();
        let ran = sweep(&place, &[]).await;
        let report = report(&ran);
        assert_eq!(
            (ran.code(), &report["outcomes"]["gone"], &report["kind"]),
            (0, &json!(3), &json!("sweep"))
        );
        assert_eq!(report["records_total"], before);
        assert_file_holds(&place.products(), &sandbox, MODEL);
        // The state and the files are about the same records: nothing more is done.
        let again = sweep(&place, &[]).await;
        assert_eq!(again.json()["pipelines"][0]["bytes_written"], 0, "{again:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_odoo_deleted_stays_marked_or_as_it_was() {
    for (gone, mark) in [("mark", Some(true)), ("keep", None)] {
        let sandbox = sandbox_of(OdooVersion::V18).await;
        let place = place_of(&sandbox, &format!("gone = \"{gone}\"\n")).await;
        let all = records(&place.products());
        let deleted = delete(&sandbox, [5].into_iter())[0];
        let ran = sweep(&place, &[]).await;
        assert_eq!((ran.code(), &report(&ran)["sweep"]["gone"]), (0, &json!(1)), "{ran:?}");
        let mut expected = all.clone();
        if let (Some(mark), Some(record)) = (mark, expected.iter_mut().find(|record| record["id"] == deleted))
        {
            record["_deleted"] = json!(mark);
        }
        assert_eq!(records(&place.products()), expected, "{gone}");
        let bytes = std::fs::read(place.products()).unwrap();
        assert_eq!(sweep(&place, &[]).await.code(), 0);
        assert_eq!(std::fs::read(place.products()).unwrap(), bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_tenth_stays_in_the_file_until_a_person_allows_it() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = place_of(&sandbox, "gone = \"remove\"\ngone_at_most_percent = 5\n").await;
    let before = std::fs::read(place.products()).unwrap();
    let known = records(&place.products()).len();
    let (missing, most) = (known * 6 / 100, known * 5 / 100);
    let gone = delete(&sandbox, 0..missing);
    let ran = sweep(&place, &[]).await;
    assert_eq!(ran.code(), 2, "{ran:?}");
    let said = report(&ran)["sweep"]["refused"].as_str().unwrap().to_owned();
    assert!(
        said.contains(&format!("{missing} of {known} ")) && said.contains(&format!("at most {most} ")),
        "{said}"
    );
    assert_eq!(std::fs::read(place.products()).unwrap(), before);
    assert_eq!(sweep(&place, &["--allow-mass-archive"]).await.code(), 0);
    assert!(of(&place, gone[0]).is_none());
    assert_file_holds(&place.products(), &sandbox, MODEL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_leaves_the_domain_is_gone_only_where_that_is_configured_and_comes_back() {
    for (more, is_gone) in [("", false), ("left_is_gone = true\n", true)] {
        let sandbox = sandbox_of(OdooVersion::V18).await;
        let domain = "gone = \"remove\"\ndomain = [[\"sale_ok\", \"=\", true]]\n";
        let place = place_of(&sandbox, &format!("{domain}{more}")).await;
        let id = records(&place.products())[4]["id"].as_i64().unwrap();
        let sell = |sale_ok: bool| {
            let values = fields(&json!({ "sale_ok": sale_ok }));
            let write_date = WriteDate::Transaction;
            let update = Edit::Update { model: MODEL.to_owned(), id, values, write_date };
            sandbox.control().edit(vec![update]).unwrap();
        };
        sell(false);
        let ran = sweep(&place, &[]).await;
        assert_eq!((ran.code(), &report(&ran)["sweep"]["left"]), (0, &json!(1)), "{ran:?}");
        assert_eq!(of(&place, id).is_none(), is_gone);
        sell(true);
        place.run(&["sync", "products"]).await.expect(0, &[]);
        assert_eq!(of(&place, id).unwrap()["sale_ok"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_empty_for_this_user_takes_nothing_out_of_the_file() {
    let sandbox = sandbox_of(OdooVersion::V18).await;
    let place = place_of(&sandbox, "gone = \"remove\"\n").await;
    let before = std::fs::read(place.products()).unwrap();
    delete(&sandbox, 0..sandbox.control().ids(MODEL).unwrap().len());
    for more in [[].as_slice(), &["--allow-mass-archive"]] {
        let ran = sweep(&place, more).await;
        assert_eq!(ran.code(), 2, "{ran:?}");
        assert!(report(&ran)["sweep"]["refused"].as_str().unwrap().contains("list is empty"));
        assert_eq!(std::fs::read(place.products()).unwrap(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_record_rule_hides_from_this_user_is_not_gone() {
    for version in [OdooVersion::V17, OdooVersion::V19] {
        let sandbox = sandbox_of(version).await;
        let place = place_of(&sandbox, "gone = \"remove\"\n").await;
        let ids = sandbox.control().ids(MODEL).unwrap();
        // Hidden ones beside one that was deleted: a search leaves out both.
        let hidden: Vec<i64> = [2, 8, 9, 30].iter().map(|at| ids[*at]).collect();
        let rule = |ids: &[i64]| Edit::RuleOut { model: MODEL.to_owned(), ids: ids.to_vec() };
        sandbox.control().edit(vec![rule(&hidden)]).unwrap();
        let gone = delete(&sandbox, [5].into_iter())[0];
        let ran = sweep(&place, &[]).await;
        let said = report(&ran)["sweep"].clone();
        assert_eq!((ran.code(), &said["gone"], &said["refused"]), (0, &json!(1), &Value::Null), "{ran:?}");
        assert!(of(&place, gone).is_none());
        assert!(hidden.iter().all(|id| of(&place, *id).is_some()), "they are there, and not for this user");
        sandbox.control().edit(vec![rule(&[])]).unwrap();
        sweep(&place, &[]).await.expect(0, &[]);
        assert_file_holds(&place.products(), &sandbox, MODEL);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_moves_no_time_is_found_by_a_run_that_compares_everything() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = place_of(&sandbox, "").await;
    sandbox.control().advance_clock(std::time::Duration::from_hours(2));
    place.run(&["sync", "products"]).await.expect(0, &[]);
    let id = sandbox.control().ids(MODEL).unwrap()[9];
    let old = WriteDate::At("2020-01-01 00:00:00".to_owned());
    let values = fields(&json!({ "name": "changed by SQL" }));
    let update = Edit::Update { model: MODEL.to_owned(), id, values, write_date: old };
    sandbox.control().edit(vec![update]).unwrap();
    place.run(&["sync", "products"]).await.expect(0, &["Products synced: 0"]);
    place.run(&["sync", "products", "--sweep"]).await.expect(0, &["Products synced: 1", "0 of "]);
    assert_eq!(of(&place, id).unwrap()["name"], "changed by SQL");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_knows_what_was_marked_or_removed_and_finds_what_somebody_undid() {
    for gone in ["mark", "remove"] {
        let sandbox = sandbox_of(OdooVersion::V19).await;
        let place = place_of(&sandbox, &format!("gone = \"{gone}\"\n")).await;
        let before = records(&place.products());
        let deleted = delete(&sandbox, [5, 9].into_iter());
        // Nobody has looked for what is gone yet: the file has more than the source.
        let ran = place.run(&["verify", "products", "--json"]).await;
        assert_eq!((ran.code(), &report(&ran)["totals"]["extra"]), (1, &json!(2)), "{ran:?}");
        assert_eq!(sweep(&place, &[]).await.code(), 0);
        let ran = place.run(&["verify", "products", "--json"]).await;
        let totals = report(&ran)["totals"].clone();
        assert_eq!((ran.code(), &report(&ran)["findings"]), (0, &json!([])), "{gone}: {ran:?}");
        let marked = if gone == "mark" { 2 } else { 0 };
        assert_eq!((&totals["archived"], &totals["orphan"]), (&json!(marked), &json!(0)), "{totals}");

        // Somebody takes the mark away, or puts the record back.
        let undone = before.iter().find(|record| record["id"] == deleted[0]).unwrap();
        let mut now = records(&place.products());
        now.retain(|record| record["id"] != deleted[0]);
        now.push(undone.clone());
        std::fs::write(place.products(), serde_json::to_string(&now).unwrap()).unwrap();
        let ran = place.run(&["verify", "products", "--json"]).await;
        let findings = report(&ran)["findings"].clone();
        assert_eq!((ran.code(), findings.as_array().unwrap().len()), (1, 1), "{ran:?}");
        let found = (&findings[0]["drift"], &findings[0]["record"]);
        assert_eq!(found, (&json!("extra"), &json!(deleted[0].to_string())));
    }
}
