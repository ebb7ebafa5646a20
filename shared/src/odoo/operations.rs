//! The operations, each with the shape of its result.

use serde_json::Value;

use super::answer::Envelope;
use super::base64::Base64;
use super::call::{Access, Call, Operation, Row, SearchRead};
use super::client::OdooClient;
use super::load::LoadAnswer;
use crate::failure::{Failure, Reason};

/// Errors of all: what [`super::Expected::classify`] and the connection say. A result of another shape than documented is a
/// transient protocol failure.
impl OdooClient {
    /// Rows of a domain.
    pub async fn search_read(&self, search: &SearchRead) -> Result<Vec<Row>, Failure> {
        let result = self.call(&search.model, Operation::SearchRead(search), &search.context).await?;
        rows(result).ok_or_else(|| self.odd("search_read"))
    }

    /// Ids of a domain, in the search's order; its fields are not looked at.
    pub async fn search(&self, search: &SearchRead) -> Result<Vec<i64>, Failure> {
        let result = self.call(&search.model, Operation::Search(search), &search.context).await?;
        ids(&result).ok_or_else(|| self.odd("search"))
    }

    /// Number of rows of a domain; archived ones count under `active_test` = false only.
    pub async fn search_count(&self, model: &str, domain: &Value) -> Result<u64, Failure> {
        let result = self.call(model, Operation::SearchCount { domain }, &Row::new()).await?;
        result.as_u64().ok_or_else(|| self.odd("search_count"))
    }

    /// Rows of ids, archived ones too; ids that do not exist are left out.
    pub async fn read(&self, model: &str, ids: &[i64], fields: &[String]) -> Result<Vec<Row>, Failure> {
        let result = self.call(model, Operation::Read { ids, fields }, &Row::new()).await?;
        rows(result).ok_or_else(|| self.odd("read"))
    }

    /// The model's fields by name, each with the attributes asked for, such as `type`, `string`, `required`.
    pub async fn fields_get(&self, model: &str, attributes: &[String]) -> Result<Row, Failure> {
        let result = self.call(model, Operation::FieldsGet { attributes }, &Row::new()).await?;
        match result {
            Value::Object(fields) => Ok(fields),
            _ => Err(self.odd("fields_get")),
        }
    }

    /// Makes records and tells their ids in order; all or none.
    pub async fn create(&self, model: &str, rows: &[Row]) -> Result<Vec<i64>, Failure> {
        let result = self.call(model, Operation::Create { rows }, &Row::new()).await?;
        let created = ids(&result).filter(|ids| ids.len() == rows.len());
        created.ok_or_else(|| self.odd("create"))
    }

    /// Sets the same values in all these records; all or none. Identical values move `write_date` too, so compare before.
    pub async fn write(&self, model: &str, ids: &[i64], values: &Row) -> Result<(), Failure> {
        self.call(model, Operation::Write { ids, values }, &Row::new()).await.map(drop)
    }

    /// Sets a binary field, or clears it, in all these records. Odoo decodes what it is given, and what it makes of it, such
    /// as smaller images, it makes before it answers.
    pub async fn write_binary(
        &self,
        model: &str,
        ids: &[i64],
        field: &str,
        content: Option<&Base64>,
    ) -> Result<(), Failure> {
        let operation = Operation::WriteBinary { ids, field, content };
        self.call(model, operation, &Row::new()).await.map(drop)
    }

    /// Upserts by external id: `fields` are columns such as `id`, `name`, `categ_id/.id`, `rows` their cells. An empty cell
    /// clears the field, a column left out leaves it alone. Booleans must be text ("1", "0"): a JSON `true` fails the call.
    pub async fn load(
        &self,
        model: &str,
        fields: &[String],
        rows: &[Vec<Value>],
    ) -> Result<LoadAnswer, Failure> {
        let operation = Operation::Load { fields, rows };
        let result = self.call(model, operation, &Row::new()).await?;
        let call = Call { model, operation, context: Row::new() };
        LoadAnswer::from_json(&result, &self.expected(&call, Envelope::Bare)).ok_or_else(|| self.odd("load"))
    }

    /// Calls a method of records that needs no more than their ids: `action_archive`, `action_unarchive`. For a product
    /// variant these archive its template with it, which writing `active` does not.
    pub async fn action(&self, model: &str, method: &str, ids: &[i64]) -> Result<(), Failure> {
        self.call(model, Operation::Action { method, ids }, &Row::new()).await.map(drop)
    }

    /// Whether the user may do this to the model at all, record rules aside.
    pub async fn check_access(&self, model: &str, access: Access) -> Result<bool, Failure> {
        let result = self.call(model, Operation::CheckAccess { access }, &Row::new()).await?;
        result.as_bool().ok_or_else(|| self.odd("check_access_rights"))
    }

    fn odd(&self, method: &str) -> Failure {
        Failure::transient(
            Reason::Protocol,
            format!(
                "the answer of Odoo at {} to {method} has another shape than documented",
                self.place().host()
            ),
        )
        .advise("check that no proxy or customised module changes answers")
    }
}

fn rows(result: Value) -> Option<Vec<Row>> {
    let Value::Array(rows) = result else {
        return None;
    };
    rows.into_iter()
        .map(|row| match row {
            Value::Object(row) => Some(row),
            _ => None,
        })
        .collect()
}

/// A list of ids, or one id: JSON-RPC answers a `create` of one record so.
fn ids(result: &Value) -> Option<Vec<i64>> {
    match result {
        Value::Array(ids) => ids.iter().map(Value::as_i64).collect(),
        Value::Number(id) => Some(vec![id.as_i64()?]),
        _ => None,
    }
}
