//! `plan --sweep` shows what a sweep would do and touches nothing; `sync --plan` does exactly that, with the sweep's own guards.

use sandbox::{Edit, OdooVersion, ZohoChange};
use serde_json::{Value, json};

use super::files::{delete as delete_products, of, place_of};
use super::items::{active, archived, delete, is_archived};
use crate::place::Place;
use crate::shop::Shop;
use crate::truth::{assert_file_holds, sandbox_of};

/// The only pipeline of `plan --sweep --json`.
async fn planned(place: &Place, more: &[&str], code: i32) -> Value {
    let ran = place.run(&[&["plan", "--sweep", "--json", "--out", "plan.json"], more].concat()).await;
    assert_eq!(ran.code(), code, "{ran:?}");
    ran.json()["pipelines"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_a_sweep_touches_nothing_and_is_applied_exactly() {
    for version in [OdooVersion::V17, OdooVersion::V19] {
        let shop = Shop::of(version, 24).await;
        shop.place.sync().await;
        let before = archived(&shop);
        let numbers = active(&shop, 4);
        let gone = [delete(&shop, numbers[0]), delete(&shop, numbers[1])];
        shop.edit(numbers[2], &json!({ "rate": 55.5 }));
        shop.reset_counts();
        let plan = planned(&shop.place, &[], 0).await;
        shop.assert_nothing_done();
        let totals = &plan["totals"];
        assert_eq!((&totals["archive"], &totals["update"]), (&json!(2), &json!(1)), "{plan}");
        assert_eq!((&totals["sweep"]["gone"], &totals["sweep"]["known"]), (&json!(2), &json!(24)));
        let change = plan["changes"].as_array().unwrap().iter().find(|one| one["record"] == gone[0]).unwrap();
        assert_eq!((&change["action"], &change["fields"][0]["new"]), (&json!("archive"), &json!(false)));
        // Gone after the plan: the next sweep's.
        let later = delete(&shop, numbers[3]);
        shop.place
            .run(&["plan", "--sweep"])
            .await
            .expect(2, &["3 of 24 known records", "at most 2 may be gone"]);

        shop.reset_counts();
        shop.place.run(&["sync", "--plan", "plan.json"]).await.expect(
            0,
            &["3 records of a plan", "Items gone from the source, and archived, marked or removed: 2."],
        );
        shop.place.run(&["status"]).await.expect(0, &["(chosen records: a plan or a repair)"]);
        let now: Vec<String> = archived(&shop).into_iter().filter(|one| !before.contains(one)).collect();
        assert!(now.len() == 2 && gone.iter().all(|item| now.contains(item)), "{now:?}");
        assert!(!is_archived(&shop, &later));
        let counts = shop.odoo.control().counts();
        assert_eq!((counts.rows_deleted, counts.rows_created), (0, 0), "{counts:?}");
        let again = shop.place.run(&["sync", "--plan", "plan.json"]).await;
        again.expect(2, &["stale", "3 of its 3 records", "is in step by now"]);
        let left = planned(&shop.place, &[], 0).await;
        assert_eq!(left["totals"]["sweep"]["missing"], 1, "they are known to be gone: {left}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_a_sweep_is_refused_where_source_or_sink_have_moved() {
    let shop = Shop::of(OdooVersion::V18, 24).await;
    shop.place.sync().await;
    let numbers = active(&shop, 2);
    let gone = [delete(&shop, numbers[0]), delete(&shop, numbers[1])];
    planned(&shop.place, &[], 0).await;
    let values = crate::shop::fields(&json!({ "name": "Back again", "rate": 5 }));
    shop.change(ZohoChange::RestoreItem { item: gone[0].clone(), fields: values });
    shop.reset_counts();
    let ran = shop.place.run(&["sync", "--plan", "plan.json"]).await;
    ran.expect(
        2,
        &["stale", "1 of its 2 records", &gone[0], "is in the source again", "nothing was changed"],
    );
    shop.assert_nothing_written();

    delete(&shop, numbers[0]);
    planned(&shop.place, &[], 0).await;
    // A person archives one in Odoo.
    let (model, id) = ("product.product".to_owned(), shop.products()[&gone[1]]);
    shop.odoo.control().edit(vec![Edit::Archive { model, id, active: false }]).unwrap();
    shop.reset_counts();
    let ran = shop.place.run(&["sync", "--plan", "plan.json"]).await;
    ran.expect(2, &["stale", &gone[1], "is in step by now"]);
    shop.assert_nothing_written();
    assert!(!is_archived(&shop, &gone[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_may_be_gone_at_once_is_neither_planned_nor_applied_without_the_flag() {
    let shop = Shop::of(OdooVersion::V18, 24).await;
    shop.place.sync().await;
    let before = archived(&shop);
    for number in active(&shop, 3) {
        delete(&shop, number);
    }
    let refused = planned(&shop.place, &[], 2).await;
    assert_eq!((&refused["totals"]["archive"], &refused["changes"]), (&json!(0), &json!([])), "{refused}");
    assert!(refused["totals"]["sweep"]["refused"].as_str().unwrap().contains("3 of 24"));
    let plan = planned(&shop.place, &["--allow-mass-archive"], 0).await;
    assert_eq!(plan["totals"]["archive"], 3);
    shop.reset_counts();
    let ran = shop.place.run(&["sync", "--plan", "plan.json"]).await;
    ran.expect(2, &["nothing of the plan was done", "3 of 24", "--allow-mass-archive"]);
    shop.assert_nothing_written();
    shop.place.run(&["sync", "--plan", "plan.json", "--allow-mass-archive"]).await.expect(0, &[]);
    assert_eq!(archived(&shop).len(), before.len() + 3);
    shop.place.run(&["sync", "--allow-mass-archive"]).await.expect(2, &["required"]);
    shop.place.run(&["plan", "--allow-mass-archive"]).await.expect(2, &["required"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_marked_or_removed_in_a_file_is_planned_and_applied() {
    for (gone, action) in [("remove", "remove"), ("mark", "mark"), ("keep", "")] {
        let sandbox = sandbox_of(OdooVersion::V18).await;
        let place = place_of(&sandbox, &format!("gone = \"{gone}\"\n")).await;
        let deleted = delete_products(&sandbox, [3, 7].into_iter());
        let file = std::fs::read(place.products()).unwrap();
        let plan = planned(&place, &["products"], 0).await;
        assert_eq!(std::fs::read(place.products()).unwrap(), file);
        assert_eq!(plan["totals"]["sweep"]["gone"], 2);
        let actions: Vec<&Value> =
            plan["changes"].as_array().unwrap().iter().map(|change| &change["action"]).collect();
        if action.is_empty() {
            assert!(actions.is_empty(), "{plan}");
            continue;
        }
        assert_eq!((actions, &plan["totals"][action]), (vec![&json!(action); 2], &json!(2)));
        place.run(&["sync", "--plan", "plan.json"]).await.expect(0, &[]);
        match gone {
            "remove" => assert_file_holds(&place.products(), &sandbox, "product.template"),
            _ => assert_eq!(of(&place, deleted[1]).unwrap()["_deleted"], true),
        }
        let left = planned(&place, &["products"], 0).await;
        assert_eq!(
            (&left["changes"], &left["totals"]["sweep"]["missing"]),
            (&json!([]), &json!(0)),
            "{left}"
        );
    }
}
