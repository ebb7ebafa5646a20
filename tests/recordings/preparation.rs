//! What was done beside the recorded calls: rows changed by SQL, records of earlier steps.

use sandbox::{Control, Edit, WriteDate};
use serde_json::{Map, Value, json};
use tests::recordings::Recording;

use crate::recordings::replay::{Call, Ids};

/// Does to the stand-in what was done to the real server before this call.
pub(crate) fn prepare(one: &Recording, call: &Call, control: &Control, ids: &mut Ids) {
    let name = one.name.as_str();
    let first_cell = call.rows().first().and_then(|row| row.get(0)).and_then(Value::as_str).unwrap_or("");
    if name.ends_with("dates-read-truncated") {
        set_dates(call, control, ids);
    } else if name.ends_with("load-m2o-ambiguous-name") {
        let category = call.rows()[0][2].clone();
        for _ in 0..2 {
            create(control, "product.category", json!({"name": category}), WriteDate::Transaction);
        }
    } else if name.ends_with("load-after-delete-recreates") {
        let (model, id) = found(control, first_cell);
        control.edit(vec![Edit::Delete { model, id }]).unwrap();
    } else if name.ends_with("load-orphan-imd") {
        let (model, id) = found(control, first_cell);
        control.edit(vec![Edit::DeleteRow { model, id }]).unwrap();
    } else if name.ends_with("load-archived-target") {
        let (model, id) = found(control, first_cell);
        control.edit(vec![Edit::Archive { model, id, active: false }]).unwrap();
    } else if name.ends_with("noupdate-true-mode-init") {
        let rows = control.rows("ir.model.data").unwrap();
        let row = rows.iter().find(|row| row["complete_name"] == first_cell).unwrap();
        let values = fields(json!({"noupdate": true}));
        let id = row["id"].as_i64().unwrap();
        let model = "ir.model.data".to_owned();
        control.edit(vec![Edit::Update { model, id, values, write_date: WriteDate::Transaction }]).unwrap();
    } else if name.ends_with("naive-keyset-page2") {
        hundred_rows(call, control, ids);
    } else {
        picture(name, call, control, ids);
    }
    fill(call, control, ids);
}

/// A picture set beside the calls, and the template that shows a variant's.
fn picture(name: &str, call: &Call, control: &Control, ids: &mut Ids) {
    if name.ends_with("restricted-attachment-checksum") {
        let id = ids.of("product.template", call.domain()[2][2][0].as_i64().unwrap());
        let image =
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC";
        let values = fields(json!({"image_1920": image}));
        let model = "product.template".to_owned();
        control.edit(vec![Edit::Update { model, id, values, write_date: WriteDate::Transaction }]).unwrap();
    } else if name.ends_with("att-template-image-of-variant") {
        let recorded = call.domain()[2][2][0].as_i64().unwrap();
        let templates = control.external_ids("product.template");
        let template = templates
            .iter()
            .find(|(name, _)| name.contains("item_g") && name.ends_with("_1_product_template"));
        ids.learn("product.template", recorded, *template.unwrap().1);
    }
}

/// Makes up the records the call changes and no recorded call created.
fn fill(call: &Call, control: &Control, ids: &mut Ids) {
    for recorded in call.changed_ids() {
        if recorded != 99_999_999 && !ids.knows(&call.model, recorded) && call.model.starts_with("product.") {
            let id = create(control, &call.model, json!({"name": "filler"}), WriteDate::Transaction);
            ids.learn(&call.model, recorded, id);
        }
    }
}

fn fields(json: Value) -> Map<String, Value> {
    let Value::Object(fields) = json else { panic!("field values are an object") };
    fields
}

fn create(control: &Control, model: &str, values: Value, write_date: WriteDate) -> i64 {
    let edit = Edit::Create { model: model.to_owned(), values: fields(values), write_date };
    control.edit(vec![edit]).unwrap()[0]
}

/// The record an external id leads to.
fn found(control: &Control, external_id: &str) -> (String, i64) {
    let model = "product.template";
    (model.to_owned(), control.external_ids(model)[external_id])
}

/// One record at a whole second and one 0.7 s later, the later one first in the list of ids.
fn set_dates(call: &Call, control: &Control, ids: &Ids) {
    let later = call.ids()[0];
    let model = || "product.template".to_owned();
    let update = |recorded: i64, at: &str| Edit::Update {
        model: model(),
        id: ids.of("product.template", recorded),
        values: Map::new(),
        write_date: WriteDate::At(at.to_owned()),
    };
    let edits =
        vec![update(later, "2025-10-11 10:00:00.700000"), update(later + 2, "2025-10-11 10:00:00.000000")];
    control.edit(edits).unwrap();
}

/// A hundred rows of one transaction; the recorded call asks for those after the fiftieth.
fn hundred_rows(call: &Call, control: &Control, ids: &mut Ids) {
    let fiftieth = call.domain()[5][2].as_i64().unwrap();
    let prefix = call.domain()[0][2].as_str().unwrap().trim_end_matches('%').to_owned();
    let second = call.domain()[2][2].as_str().unwrap().to_owned();
    let edits = (0..100).map(|row| Edit::Create {
        model: "product.template".to_owned(),
        values: fields(json!({"name": format!("{prefix}{row}")})),
        write_date: WriteDate::At(format!("{second}.316086")),
    });
    let created = control.edit(edits.collect()).unwrap();
    for (recorded, id) in (fiftieth - 49..).zip(created) {
        ids.learn("product.template", recorded, id);
    }
}
