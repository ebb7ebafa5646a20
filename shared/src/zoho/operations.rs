//! The calls that the rest of the program makes.

use std::collections::HashSet;

use serde_json::Value;

use super::class::CallClass;
use super::client::ZohoClient;
use super::config::ImageRoute;
use super::image::{Image, read_image};
use super::kind::{Api, Kind};
use super::paging::{Page, Position};
use super::request::Request;
use super::row::Row;
use crate::failure::{Failure, Reason};

/// Ids in one call of `itemdetails`. Zoho documents no limit; 100 is what is known to work.
const IDS_PER_CALL: usize = 100;

/// Items with everything that the list leaves out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Details {
    /// Those that Zoho sent.
    pub rows: Vec<Row>,
    /// Ids that it left out without a word: deleted, or not for this user.
    pub missing: Vec<String>,
}

impl ZohoClient {
    /// The page of a list at `position`, up to `per_page` rows (200 at most); inactive ones are in it.
    ///
    /// # Errors
    /// As every call: what Zoho's code or status means.
    pub async fn page(
        &self,
        api: Api,
        kind: Kind,
        position: &Position,
        per_page: usize,
    ) -> Result<Page, Failure> {
        let per_page = per_page.clamp(1, 200);
        let request = Request::list(api, kind, position.order(), position.number(), per_page);
        let json = self.json(&request).await?;
        let has_more = json.pointer("/page_context/has_more_page").and_then(Value::as_bool);
        let rows = rows(kind, json)?;
        let has_more = has_more.unwrap_or(rows.len() >= per_page);
        let page = position.turn(rows, has_more)?;
        if let Some(distrust) = page.distrust {
            tracing::warn!(
                organization = self.place().organization(),
                list = kind.as_str(),
                ?distrust,
                "Zoho did not restrict or order the list as asked: all of it is read"
            );
        }
        Ok(page)
    }

    /// The row of an item as the list has it, by one call. `None` says nothing: an organisation whose Zoho does not know that
    /// filter is answered with the begin of the whole list.
    pub async fn listed_item(&self, api: Api, id: &str) -> Result<Option<Row>, Failure> {
        let found = rows(Kind::Items, self.json(&Request::listed_item(api, id)).await?)?;
        Ok(found.into_iter().find(|row| row.id() == id))
    }

    /// The ids of items with exactly this SKU, of the first 200 that Zoho finds by it.
    pub async fn items_by_sku(&self, api: Api, sku: &str) -> Result<Vec<String>, Failure> {
        let found = rows(Kind::Items, self.json(&Request::items_by_sku(api, sku)).await?)?;
        // Zoho answers a filter that it does not know with everything.
        let has_it = |row: &&Row| row.values().get("sku").and_then(Value::as_str) == Some(sku);
        Ok(found.iter().filter(has_it).map(Row::id).collect())
    }

    /// One record with everything that the list leaves out.
    ///
    /// # Errors
    /// `Permanent/Missing` where there is none of this id.
    pub async fn record(&self, api: Api, kind: Kind, id: &str) -> Result<Row, Failure> {
        let mut json = self.json(&Request::detail(api, kind, id)).await?;
        let value = json.get_mut(kind.singular()).map(Value::take);
        value.and_then(|value| Row::new(kind, value)).filter(|row| row.id() == id).ok_or_else(|| no_row(kind))
    }

    /// Items with everything that the list leaves out, a hundred in one call.
    pub async fn item_details(&self, api: Api, ids: &[String]) -> Result<Details, Failure> {
        let mut details = Details::default();
        for chunk in ids.chunks(IDS_PER_CALL) {
            let json = self.json(&Request::item_details(api, chunk)).await?;
            let mut asked: HashSet<&str> = chunk.iter().map(String::as_str).collect();
            // A row that was not asked for, or came twice, would be taken for another one's.
            let rows = rows(Kind::Items, json)?;
            details.rows.extend(rows.into_iter().filter(|row| asked.remove(row.id().as_str())));
            let missing = chunk.iter().filter(|id| asked.contains(id.as_str()));
            details.missing.extend(missing.cloned());
        }
        Ok(details)
    }

    /// The image of an item, from the first of the configured routes that has it. Routes by document are left out where
    /// `document_id` is not known. `class` says whether it takes the place of another one.
    ///
    /// # Errors
    /// `Permanent/Missing` where no route has one; `Permanent/BadRecord` where it is too large or no image; of a route that
    /// the token may not use, `Systemic/Rights` where no other has it.
    pub async fn image(
        &self,
        item_id: &str,
        document_id: Option<&str>,
        class: CallClass,
    ) -> Result<Image, Failure> {
        let document_id = document_id.filter(|id| !id.is_empty());
        let mut refused: Option<Failure> = None;
        for route in self.image_routes() {
            let request = match (route, document_id) {
                (ImageRoute::Inventory, _) => Request::item_image(Api::Inventory, item_id),
                (ImageRoute::Books, _) => Request::item_image(Api::Books, item_id),
                (ImageRoute::InventoryDocument, Some(id)) => Request::document(Api::Inventory, id),
                (ImageRoute::BooksDocument, Some(id)) => Request::document(Api::Books, id),
                (_, None) => continue,
            };
            let request = request.of_class(class);
            let image = self.call(&request, |expected, answer| read_image(expected, answer, *route)).await;
            match image {
                Err(failure) if failure.reason == Reason::Rights => refused = Some(failure),
                Err(failure) if failure.reason == Reason::Missing => {
                    refused.get_or_insert(failure);
                }
                other => return other,
            }
        }
        Err(refused.unwrap_or_else(|| {
            Failure::permanent(
                Reason::Missing,
                format!("no way is configured to the image of item {item_id}"),
            )
            .advise("upload the picture again in Zoho")
        }))
    }
}

fn rows(kind: Kind, mut json: Value) -> Result<Vec<Row>, Failure> {
    match json.get_mut(kind.as_str()).map(Value::take) {
        Some(Value::Array(values)) => {
            values.into_iter().map(|value| Row::new(kind, value).ok_or_else(|| no_row(kind))).collect()
        }
        _ => Err(Failure::transient(
            Reason::Protocol,
            format!("the answer of Zoho has no list of {}", kind.as_str()),
        )),
    }
}

fn no_row(kind: Kind) -> Failure {
    Failure::systemic(Reason::Protocol, format!("Zoho answered with a row without {}", kind.id_field()))
        .advise("check that `api_url`, where it is set, is an API of Zoho")
}
