//! Images of records: what Odoo holds, by hash, and writing one.

use std::collections::HashMap;

use serde_json::{Value, json};
use shared::failure::{Failure, Reason};
use shared::odoo::{Base64, OdooClient, Row, SearchRead};

use super::change::outcome_unknown;
use super::external::number;
use crate::image::ImageSink;

/// The field that an image is written to; Odoo makes the smaller sizes from it.
const IMAGE: &str = "image_1920";

/// Where the image of a variant is that has its own, because its template has several variants.
const OWN_IMAGE: &str = "image_variant_1920";

/// Records in one look-up.
const LOOK_UP: usize = 500;

const VARIANT: &str = "product.product";
const TEMPLATE: &str = "product.template";

/// The images of one Odoo model: what the image worker needs of the sink, beside the one that writes records.
#[derive(Debug, Clone)]
pub struct OdooImages {
    client: OdooClient,
    model: String,
}

impl OdooImages {
    /// The images of `model`.
    pub fn new(client: &OdooClient, model: &str) -> Self {
        let archived_too = [("active_test".to_owned(), Value::Bool(false))].into_iter().collect();
        Self { client: client.with_context(archived_too), model: model.to_owned() }
    }
}

impl ImageSink for OdooImages {
    async fn image_hashes(&mut self, sink_ids: &[String]) -> Result<HashMap<String, String>, Failure> {
        // What is no id is refused when its image is written.
        let ids: Vec<i64> = sink_ids.iter().filter_map(|id| id.parse().ok()).collect();
        let found = hashes(&self.client, &self.model, &ids).await?;
        Ok(found.into_iter().map(|(id, hash)| (id.to_string(), hash)).collect())
    }

    async fn write_image(&mut self, sink_id: &str, image: Option<Base64>) -> Result<(), Failure> {
        if image.as_ref().is_some_and(|image| image.text().is_empty()) {
            // It would clear the one that is there.
            return Err(Failure::permanent(Reason::BadRecord, "the image is empty")
                .advise("upload the picture again"));
        }
        let id = record_id(sink_id)?;
        let written = self.client.write_binary(&self.model, &[id], IMAGE, image.as_ref()).await;
        written.map_err(|failure| outcome_unknown(&failure))
    }
}

fn record_id(sink_id: &str) -> Result<i64, Failure> {
    sink_id.parse().map_err(|error| {
        Failure::permanent(Reason::Undecodable, format!("'{sink_id}' is no id of an Odoo record"))
            .advise("run `catalog-sync sync --full`, then `catalog-sync dead redrive`")
            .because(error)
    })
}

/// SHA-1 in hexadecimal digits of the stored image by record; a record without image is left out. The stored bytes are
/// those that were written for JPEG, PNG, WEBP and GIF up to 1920 x 1920; larger or other ones Odoo encodes anew. The image
/// of a sole variant hangs on its template (measured on Odoo 17 to 19).
pub(super) async fn hashes(
    client: &OdooClient,
    model: &str,
    ids: &[i64],
) -> Result<HashMap<i64, String>, Failure> {
    let mut hashes = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(LOOK_UP) {
        if model != VARIANT {
            hashes.extend(attachments(client, model, IMAGE, ids).await?);
            continue;
        }
        let templates = templates(client, ids).await?;
        let mut template_ids: Vec<i64> = templates.values().copied().collect();
        template_ids.sort_unstable();
        template_ids.dedup();
        let of_templates = attachments(client, TEMPLATE, IMAGE, &template_ids).await?;
        let own = attachments(client, VARIANT, OWN_IMAGE, ids).await?;
        for (id, template) in templates {
            if let Some(hash) = own.get(&id).or_else(|| of_templates.get(&template)) {
                hashes.insert(id, hash.clone());
            }
        }
    }
    Ok(hashes)
}

async fn templates(client: &OdooClient, ids: &[i64]) -> Result<HashMap<i64, i64>, Failure> {
    let mut search = SearchRead::new(VARIANT);
    search.domain = json!([["id", "in", ids]]);
    search.fields = vec!["product_tmpl_id".to_owned()];
    let rows = client.search_read(&search).await?;
    let template =
        |row: &Row| row.get("product_tmpl_id").and_then(|pair| pair.get(0)).and_then(Value::as_i64);
    Ok(rows.iter().filter_map(|row| Some((number(row, "id")?, template(row)?))).collect())
}

/// Without `res_field` in the domain Odoo shows no attachment of a field at all.
async fn attachments(
    client: &OdooClient,
    model: &str,
    field: &str,
    ids: &[i64],
) -> Result<HashMap<i64, String>, Failure> {
    let mut search = SearchRead::new("ir.attachment");
    search.domain = json!([["res_model", "=", model], ["res_field", "=", field], ["res_id", "in", ids]]);
    search.fields = ["res_id", "checksum"].map(str::to_owned).to_vec();
    let rows = client.search_read(&search).await?;
    let hash = |row: &Row| row.get("checksum").and_then(Value::as_str).map(str::to_owned);
    Ok(rows.iter().filter_map(|row| Some((number(row, "res_id")?, hash(row)?))).collect())
}
