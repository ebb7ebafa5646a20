//! The calls of the API, answered from the organisation's state.

use serde_json::{Value as Json, json};

use crate::zoho::contact::Contact;
use crate::zoho::error::ApiError;
use crate::zoho::http::Response;
use crate::zoho::id::{Space, id, number};
use crate::zoho::item::Item;
use crate::zoho::item_row::{Product, UNITS, View};
use crate::zoho::list::ListQuery;
use crate::zoho::params::Params;
use crate::zoho::picture::{Showing, ZohoImage, sheet};
use crate::zoho::route::{Route, Target};
use crate::zoho::world::World;
use crate::zoho::{contact_list, item_list};

/// Id of the only organisation.
pub(crate) const ORGANIZATION_ID: &str = "880015501";

/// A call: who asks for what.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) route: Route,
    pub(crate) params: Params,
    /// Value of the `Authorization` header.
    pub(crate) authorization: Option<&'a str>,
    /// Where a redirected image lies, without its name.
    pub(crate) elsewhere: &'a str,
}

impl World {
    /// Checks the caller, counts the call against the limits and answers it.
    pub(crate) fn answer(&mut self, call: &Call<'_>) -> Result<Response, ApiError> {
        self.identify(call.authorization)?;
        self.limits.admit(&self.clock)?;
        let is_organizations = call.route.target == Target::Organizations;
        // The list of organisations is how a client learns the id in the first place.
        if !is_organizations {
            match call.params.get("organization_id") {
                Some(ORGANIZATION_ID) => {}
                // Seen once only; the documentation marks the parameter as mandatory.
                None => return Err(ApiError::new(400, 4029, "organization_id is missing")),
                Some(other) => {
                    let message =
                        format!("This user is not associated with the CompanyID/CompanyName:{other}.");
                    return Err(ApiError::new(401, 6041, message));
                }
            }
        }
        if !self.accounts.has_scope(call.route.scope()) {
            return Err(ApiError::unauthorized());
        }
        let mut response = self.dispatch(call)?;
        if response.status == 200 && !is_organizations {
            let quota = self.limits.quota(&self.clock);
            response.headers.extend([
                ("X-Rate-Limit-Limit", quota.limit.to_string()),
                ("X-Rate-Limit-Remaining", quota.remaining.to_string()),
                ("X-Rate-Limit-Reset", quota.reset.to_string()),
            ]);
        }
        Ok(response)
    }

    fn identify(&self, authorization: Option<&str>) -> Result<(), ApiError> {
        let Some(header) = authorization else {
            return Err(ApiError::new(401, 14, "Invalid value passed for authtoken."));
        };
        let token = header.strip_prefix("Zoho-oauthtoken ").unwrap_or_default();
        if self.accounts.accepts(token, self.clock.now()) { Ok(()) } else { Err(ApiError::unauthorized()) }
    }

    fn dispatch(&mut self, call: &Call<'_>) -> Result<Response, ApiError> {
        match &call.route.target {
            Target::Items => self.item_page(call),
            Target::ItemDetails => self.item_details(call),
            Target::Contacts => self.contact_page(call),
            Target::Item(id) => {
                let detail = self.view(call).detail(&self.item_by_id(id)?);
                Ok(success("item", detail))
            }
            Target::Contact(id) => {
                let found = number(Space::Contact, id).and_then(|number| self.contacts.get(number));
                let contact: Contact = found.ok_or_else(|| ApiError::no_such("Contact"))?;
                Ok(success("contact", contact.detail(&self.clock)))
            }
            Target::ItemImage(id) => {
                let item = self.item_by_id(id)?;
                let Some(picture) = item.picture else {
                    return Err(ApiError::no_such("Image"));
                };
                Ok(self.show(call, &picture.document, picture.kind, picture.seed, false))
            }
            Target::Document(id) => self.document(call, id),
            Target::Units => {
                let unit =
                    |(number, name): (u32, &str)| json!({"unit_id": id(Space::Unit, number), "unit": name});
                Ok(success("units", (1..).zip(UNITS).map(unit).collect()))
            }
            Target::Organizations => Ok(success("organizations", json!([self.organization()]))),
        }
    }

    fn view(&self, call: &Call<'_>) -> View<'_> {
        View { product: call.route.product, clock: &self.clock, image_bytes: self.settings.image_bytes }
    }

    fn item_by_id(&self, id: &str) -> Result<Item, ApiError> {
        let found = number(Space::Item, id).and_then(|number| self.items.get(number));
        found.ok_or_else(|| ApiError::no_such("Item"))
    }

    fn item_page(&mut self, call: &Call<'_>) -> Result<Response, ApiError> {
        let rules = match call.route.product {
            Product::Inventory => &item_list::INVENTORY,
            Product::Books => &item_list::BOOKS,
        };
        let query = ListQuery::read(&call.params, rules)?;
        // Books documents no such filter, and shows everything.
        let has_ids = matches!(call.route.product, Product::Inventory);
        let test = item_list::test(&call.params, query.filter, has_ids);
        let (items, has_more) = query.page(&mut self.items, test.as_ref(), item_list::sort_key);
        let view = self.view(call);
        let rows = items.iter().map(|item| view.row(item)).collect();
        let body = query.body(rules, rows, has_more);
        self.list_call_done();
        Ok(Response::json(200, &body))
    }

    fn contact_page(&mut self, call: &Call<'_>) -> Result<Response, ApiError> {
        let rules = match call.route.product {
            Product::Inventory => &contact_list::INVENTORY,
            Product::Books => &contact_list::BOOKS,
        };
        let query = ListQuery::read(&call.params, rules)?;
        let test = contact_list::test(&call.params, query.filter);
        let (contacts, has_more) = query.page(&mut self.contacts, test.as_ref(), contact_list::sort_key);
        let rows = contacts.iter().map(|contact| Json::Object(contact.row(&self.clock))).collect();
        let body = query.body(rules, rows, has_more);
        self.list_call_done();
        Ok(Response::json(200, &body))
    }

    /// Ids that lead nowhere are left out without a word.
    fn item_details(&self, call: &Call<'_>) -> Result<Response, ApiError> {
        let ids = call.params.filled("item_ids").ok_or_else(|| ApiError::invalid_value("item_ids"))?;
        let view = self.view(call);
        let found = ids.split(',').filter_map(|id| self.item_by_id(id.trim()).ok());
        Ok(success("items", found.map(|item| view.bulk_detail(&item)).collect()))
    }

    fn document(&mut self, call: &Call<'_>, document: &str) -> Result<Response, ApiError> {
        let gone = || ApiError::no_such("Document");
        if let Some(item) = number(Space::Sheet, document).and_then(|number| self.items.get(number)) {
            let bytes = Some(sheet()).filter(|_| item.has_sheet).ok_or_else(gone)?;
            self.counts.served(document, bytes.len());
            return Ok(attached(Response::new(200, "application/octet-stream", bytes), "data sheet.pdf"));
        }
        if let Some(item) = number(Space::SecondPhoto, document).and_then(|number| self.items.get(number)) {
            if !item.has_second_photo {
                return Err(gone());
            }
            // Motifs of their own, apart from those of the first images.
            let seed = u64::from(item.number) | 1 << 41;
            return Ok(self.show(call, document, ZohoImage::Jpeg, seed, true));
        }
        let seeded = number(Space::Photo, document);
        let uploaded = || number(Space::Upload, document).and_then(|upload| self.upload_of(upload));
        let item = seeded.or_else(uploaded).and_then(|number| self.items.get(number)).ok_or_else(gone)?;
        // A document that was replaced is gone.
        let picture = item.picture.filter(|picture| picture.document == document).ok_or_else(gone)?;
        let response = self.show(call, document, picture.kind, picture.seed, true);
        Ok(attached(response, &picture.file_name))
    }

    fn show(
        &mut self,
        call: &Call<'_>,
        document: &str,
        kind: ZohoImage,
        seed: u64,
        as_document: bool,
    ) -> Response {
        let served = self.served.entry(document.to_owned()).or_default();
        let elsewhere = format!("{}/{document}", call.elsewhere);
        let size = self.settings.image_bytes;
        let showing = Showing { kind, seed, size, served: *served, as_document, elsewhere: &elsewhere };
        let (response, has_image) = showing.response();
        if has_image {
            *served += 1;
            self.counts.served(document, response.body.len());
        }
        response
    }

    fn organization(&self) -> Json {
        json!({
            "organization_id": ORGANIZATION_ID, "name": "Sandbox Trading", "is_default_org": true,
            "time_zone": self.clock.zone_name(), "currency_code": "USD", "currency_symbol": "$",
            "price_precision": 2, "language_code": "en", "plan_name": "PREMIUM", "is_sku_enabled": true,
            "AppList": ["books", "inventory"], "version": "v1",
        })
    }
}

fn success(name: &str, value: Json) -> Response {
    let mut body = json!({"code": 0, "message": "success"});
    if let Json::Object(body) = &mut body {
        body.insert(name.to_owned(), value);
    }
    Response::json(200, &body)
}

fn attached(mut response: Response, file_name: &str) -> Response {
    let is_file = response.status == 200 && response.headers.is_empty();
    if is_file {
        response.headers.push(("Content-Disposition", format!("attachment; filename=\"{file_name}\"")));
    }
    response
}
