//! The Zoho source reads every record of an organisation, whatever is done to it meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use producer::source::{Source, SourceRow, ZohoSource};
use sandbox::{ZohoChange, ZohoEndpoint, ZohoFault, ZohoFaultRule, ZohoSandbox, ZohoSettings};
use serde_json::{Value, json};
use shared::failure::{Class, Failure, Reason};
use shared::mapping::{Origin, SourceColumn};
use shared::record::RecordKey;
use shared::state::Window;
use shared::zoho::{Api, DataCenter, Kind, ZohoClient, ZohoConfig, ZohoEntity, ZohoSecret};

pub(crate) async fn organisation() -> ZohoSandbox {
    ZohoSandbox::start(ZohoSettings::default()).await.unwrap()
}

pub(crate) fn config(sandbox: &ZohoSandbox) -> ZohoConfig {
    let secret = ZohoSecret {
        client_id: sandbox.client_id().to_owned(),
        client_secret: sandbox.client_secret().into(),
        refresh_token: sandbox.refresh_token().into(),
    };
    ZohoConfig {
        accounts_url: Some(sandbox.accounts_url()),
        api_url: Some(sandbox.accounts_url()),
        ..ZohoConfig::new(DataCenter::Com, sandbox.organization_id(), secret)
    }
}

fn column(name: &str, optional: bool) -> SourceColumn {
    SourceColumn::new(name, Origin::field(name), optional)
}

async fn source(sandbox: &ZohoSandbox, api: Api, kind: Kind) -> Source {
    let client = ZohoClient::connect(config(sandbox)).await.unwrap();
    let columns = match kind {
        Kind::Items => vec![column("name", false), column("stock_on_hand", true)],
        Kind::Contacts => vec![column("contact_name", false)],
    };
    let entity = ZohoEntity {
        contact_type: None,
        server: "shop".to_owned(),
        api,
        kind,
        columns,
        overlap: Duration::from_mins(15),
        page_size: 200,
    };
    Source::Zoho(ZohoSource::new(&client, &entity))
}

fn window(start: Option<Timestamp>, source: &Source) -> Window {
    Window { start, end: source.clock() }
}

/// All pages from a position on.
async fn walk(source: &Source, window: Window, from: Option<String>) -> Result<Vec<SourceRow>, Failure> {
    let mut rows = Vec::new();
    let mut position = from;
    loop {
        let page = source.page(window, position.as_deref()).await?;
        rows.extend(page.rows);
        position = page.next;
        if position.is_none() {
            return Ok(rows);
        }
    }
}

async fn everything(source: &Source) -> Vec<SourceRow> {
    walk(source, window(None, source), None).await.unwrap()
}

fn keys(rows: &[SourceRow]) -> BTreeSet<String> {
    rows.iter().map(|row| row.key.to_string()).collect()
}

fn ids(rows: &[Value], field: &str) -> BTreeSet<String> {
    rows.iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
}

fn edit(item: &str, fields: &Value) -> ZohoChange {
    ZohoChange::EditItem { item: item.to_owned(), fields: fields.as_object().unwrap().clone(), touch: true }
}

#[tokio::test]
async fn full_walk_reads_every_item_once_with_every_key() {
    let sandbox = organisation().await;
    let source = source(&sandbox, Api::Inventory, Kind::Items).await;
    let rows = everything(&source).await;
    let truth: BTreeMap<String, Value> = sandbox
        .control()
        .items()
        .into_iter()
        .map(|row| (row["item_id"].as_str().unwrap().to_owned(), row))
        .collect();
    assert_eq!(rows.len(), truth.len());
    for row in &rows {
        let truth = &truth[row.key.as_str()];
        let told = truth.as_object().unwrap();
        assert!(told.iter().all(|(key, value)| row.values.get(key) == Some(value)));
        assert!(row.values.contains_key("stock_on_hand"), "null where Zoho leaves it out");
        assert_eq!(row.time.as_deref(), truth["last_modified_time"].as_str());
        let text = |key: &str| truth[key].as_str().unwrap_or_default();
        let image = format!("{}/{}", text("image_document_id"), text("image_name"));
        assert_eq!(row.image.as_deref().unwrap_or("/"), image);
    }
    assert_eq!(source.count().await.unwrap(), 0);
    assert_eq!(sandbox.control().counts().list, 11, "2075 items, 200 a page");
}

#[tokio::test]
async fn second_shared_by_a_thousand_items_is_read_whole() {
    let sandbox = organisation().await;
    let control = sandbox.control();
    let stamp = ZohoChange::StampItems { first: 300, count: 1000, at: None };
    control.apply(stamp).unwrap();
    let source = source(&sandbox, Api::Inventory, Kind::Items).await;
    let rows = everything(&source).await;
    assert_eq!((rows.len(), keys(&rows).len()), (2075, 2075));

    let hour_ago = control.now() - SignedDuration::from_hours(1);
    let recent = walk(&source, window(Some(hour_ago), &source), None).await.unwrap();
    assert_eq!((recent.len(), keys(&recent).len()), (1000, 1000));
}

#[tokio::test]
async fn edits_and_deletions_between_pages_hide_no_row() {
    let sandbox = organisation().await;
    let control = sandbox.control();
    let source = source(&sandbox, Api::Inventory, Kind::Items).await;
    let order: Vec<String> =
        control.items().iter().map(|row| row["item_id"].as_str().unwrap().to_owned()).collect();
    for call in 1..8 {
        let edited = order[usize::try_from(call).unwrap() * 20].clone();
        let deleted = order[usize::try_from(call).unwrap() * 20 + 1].clone();
        control.after_list_call(call, edit(&edited, &json!({"rate": 1.25})));
        control.after_list_call(call, ZohoChange::DeleteItem { item: deleted });
    }
    let rows = everything(&source).await;
    assert_eq!(control.counts().failed_changes, Vec::<String>::new());
    let live = ids(&control.items(), "item_id");
    assert_eq!(live.len(), 2068);
    assert!(live.is_subset(&keys(&rows)), "a row was skipped");
    let newest: BTreeMap<&str, &SourceRow> = rows.iter().map(|row| (row.key.as_str(), row)).collect();
    assert_eq!(newest[order[20].as_str()].values["rate"], json!(1.25), "an edited row comes again");
}

#[tokio::test]
async fn window_holds_what_changed_and_nothing_else() {
    let sandbox = organisation().await;
    let control = sandbox.control();
    let source = source(&sandbox, Api::Inventory, Kind::Items).await;
    everything(&source).await;
    control.advance_clock(std::time::Duration::from_hours(1));
    let before = control.now() - SignedDuration::from_mins(15);
    control.apply(edit(&control.item_id(7), &json!({"name": "Renamed"}))).unwrap();
    control.apply(edit(&control.item_id(8), &json!({"status": "inactive"}))).unwrap();
    control.reset_counts();
    let rows = walk(&source, window(Some(before), &source), None).await.unwrap();
    assert_eq!(keys(&rows), BTreeSet::from([control.item_id(7), control.item_id(8)]));
    let counts = control.counts();
    assert_eq!(counts.api_calls() - counts.unauthorized, 1, "the token is an hour older, too");
}

#[tokio::test]
async fn walk_goes_on_from_any_position_and_behind_the_end_is_nothing() {
    let sandbox = organisation().await;
    let source = source(&sandbox, Api::Inventory, Kind::Items).await;
    let window = window(None, &source);
    let first = source.page(window, None).await.unwrap();
    let rest = walk(&source, window, first.after.clone()).await.unwrap();
    assert_eq!(first.rows.len() + rest.len(), 2075);
    let mut last = first;
    while let Some(next) = last.next.clone() {
        last = source.page(window, Some(&next)).await.unwrap();
    }
    let behind = source.page(window, last.after.as_deref()).await.unwrap();
    assert_eq!((behind.rows.len(), behind.next), (0, None));
    let failure = source.page(window, Some("88001000000110002")).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Configuration);
}

#[tokio::test]
async fn books_and_contacts_are_read_whole() {
    let sandbox = organisation().await;
    let control = sandbox.control();
    let items = ids(&control.items(), "item_id");
    let contacts = ids(&control.contacts(), "contact_id");
    for (api, kind, truth) in [
        (Api::Books, Kind::Items, &items),
        (Api::Books, Kind::Contacts, &contacts),
        (Api::Inventory, Kind::Contacts, &contacts),
    ] {
        let source = source(&sandbox, api, kind).await;
        let rows = everything(&source).await;
        assert_eq!((keys(&rows), rows.len()), (truth.clone(), truth.len()), "{api:?} {kind:?}");
        let start = Some(control.now());
        let rows = walk(&source, window(start, &source), None).await.unwrap();
        let expected = if api == Api::Books { truth.len() } else { 0 };
        assert_eq!(rows.len(), expected, "{api:?} {kind:?} from now on");
    }
}

#[tokio::test]
async fn records_by_key_have_the_shape_of_the_list_and_gone_ones_are_left_out() {
    let sandbox = organisation().await;
    let control = sandbox.control();
    let gone = control.item_id(5);
    control.apply(ZohoChange::DeleteItem { item: gone.clone() }).unwrap();
    let source = source(&sandbox, Api::Inventory, Kind::Items).await;
    let wanted: Vec<RecordKey> =
        [control.item_id(3), gone, control.item_id(2000)].iter().map(|id| id.parse().unwrap()).collect();
    let found = source.by_key(&wanted).await.unwrap();
    let listed = everything(&source).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|row| listed.contains(row)));
    assert_eq!(control.counts().itemdetails, 1);

    let contacts = self::source(&sandbox, Api::Inventory, Kind::Contacts).await;
    let wanted = [control.contact_id(4).parse().unwrap(), "1234".parse().unwrap()];
    assert_eq!(contacts.by_key(&wanted).await.unwrap().len(), 1);
}

#[tokio::test]
async fn walk_survives_a_bad_day() {
    let sandbox = organisation().await;
    let control = sandbox.control();
    let source = source(&sandbox, Api::Inventory, Kind::Items).await;
    let moment = ZohoFault::Throttled { code: 1070, retry_after: Some(0) };
    let faults = [
        ZohoFault::BadGateway,
        ZohoFault::InternalError,
        ZohoFault::Unauthorized,
        ZohoFault::Close,
        ZohoFault::Cut,
        ZohoFault::ErrorInSuccess { code: 1000 },
        moment,
    ];
    for fault in faults {
        // One after the other, with a call that goes well between them.
        control.fault(ZohoFaultRule::once(fault).endpoint(ZohoEndpoint::List).after(1));
    }
    let rows = everything(&source).await;
    assert_eq!(rows.len(), 2075);
    assert_eq!(control.pending_faults(), Vec::new());
    assert_eq!(control.counts().token, 2, "the refused token was replaced once");
}

#[tokio::test]
async fn source_that_may_not_read_says_so() {
    let sandbox = organisation().await;
    let control = sandbox.control();
    let source = source(&sandbox, Api::Inventory, Kind::Items).await;
    control.remove_scope("ZohoInventory.items.READ");
    let failure = walk(&source, window(None, &source), None).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Rights));
    assert!(failure.to_string().contains("ZohoInventory.items.READ"), "{failure}");
}
