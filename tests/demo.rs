//! `demo`, as somebody who tries the program out sees it.

use std::collections::BTreeSet;

use crate::place::Place;

#[tokio::test]
async fn the_demo_syncs_everything_then_nothing_then_what_changed() {
    let place = Place::configured("", Vec::new());
    let small = ["demo", "--records", "60", "--items", "12", "--dir", "demo"];
    let ran = place.run(&[&small[..], &["--json"]].concat()).await;
    ran.expect(0, &[]);
    let told = ran.json();
    let [full, nothing, few] = told["runs"].as_array().unwrap().as_slice() else { panic!("{told}") };
    let count =
        |run: &serde_json::Value, name: &str| run[name].as_u64().unwrap_or_else(|| panic!("{name}: {told}"));
    let outcome = |run: &serde_json::Value, name: &str| run["outcomes"][name].as_u64().unwrap();

    // Everything arrives once: 60 records of Odoo in files, 12 items in the shop's Odoo, and the images that some have.
    assert_eq!((outcome(full, "created"), outcome(full, "dead")), (72, 0), "{told}");
    assert_eq!(count(full, "file_writes"), 60, "{told}");
    assert!(count(full, "odoo_writes") > 12 && count(full, "image_downloads") > 5, "{told}");
    let ids: BTreeSet<i64> = ["odoo_customers.json", "odoo_products.json"]
        .iter()
        .flat_map(|name| {
            let file = walk(&place.path("demo"), name);
            let records: Vec<serde_json::Value> =
                serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            let ids: Vec<i64> = records.iter().map(|record| record["id"].as_i64().unwrap()).collect();
            assert!(ids.is_sorted_by(|a, b| a < b), "{name}: {ids:?}");
            // Customers and products have ids of their own.
            ids.into_iter().map(|id| if name.contains("customers") { id } else { -id })
        })
        .collect();
    assert_eq!(ids.len(), 60);

    // Nothing changed: a look, and not one write.
    for name in ["file_writes", "odoo_writes", "image_downloads", "image_bytes"] {
        assert_eq!(count(nothing, name), 0, "{name}: {told}");
    }
    assert_eq!(outcome(nothing, "enqueued"), 0, "{told}");

    // Three customers, a product, two prices, an image: these and no others.
    assert_eq!((outcome(few, "updated"), outcome(few, "created"), outcome(few, "dead")), (6, 0, 0), "{told}");
    assert_eq!(
        (count(few, "file_writes"), count(few, "odoo_writes"), count(few, "image_downloads")),
        (4, 3, 1),
        "{told}"
    );
}

/// The file of this name below the folder.
fn walk(folder: &std::path::Path, name: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with(name) {
                return path;
            }
        }
    }
    panic!("there is no {name} below {}", folder.display());
}
