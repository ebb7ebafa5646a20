//! External ids: the names by which Odoo remembers which record is ours, rows of `ir.model.data`.

use std::collections::HashMap;

use serde_json::{Value, json};
use shared::failure::Failure;
use shared::odoo::{OdooClient, Row, SearchRead};

/// The model that holds them. Only users with the right "Administration / Access Rights" may read it.
pub(super) const DATA: &str = "ir.model.data";

/// Names or ids in one look-up; 1,000 names take Odoo about 50 ms.
pub(super) const LOOK_UP: usize = 1000;

/// What an external id stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Id of the row of `ir.model.data`.
    pub(super) row: i64,
    pub(super) model: String,
    /// Id of the record. It may be gone: rows are left behind by a record that was deleted in the database itself.
    pub(super) id: i64,
}

/// The external ids under one prefix for records of one model.
#[derive(Debug, Clone)]
pub(super) struct ExternalIds {
    client: OdooClient,
    prefix: String,
    model: String,
}

impl ExternalIds {
    pub(super) fn new(client: OdooClient, prefix: &str, model: &str) -> Self {
        Self { client, prefix: prefix.to_owned(), model: model.to_owned() }
    }

    /// What these names stand for; a name that is not there is left out. Names of other models come too: Odoo has each name
    /// once, whatever the model.
    pub(super) async fn look_up(&self, names: &[String]) -> Result<HashMap<String, Target>, Failure> {
        look_up(&self.client, &self.prefix, names).await
    }

    /// The rows that name these records of our model under our prefix, by record. A record may have several.
    pub(super) async fn naming(&self, ids: &[i64]) -> Result<HashMap<i64, Vec<i64>>, Failure> {
        let mut naming: HashMap<i64, Vec<i64>> = HashMap::new();
        for ids in ids.chunks(LOOK_UP) {
            let mut search = SearchRead::new(DATA);
            search.domain =
                json!([["module", "=", self.prefix], ["model", "=", self.model], ["res_id", "in", ids]]);
            search.fields = vec!["res_id".to_owned()];
            for row in self.client.search_read(&search).await? {
                if let (Some(row), Some(id)) = (number(&row, "id"), number(&row, "res_id")) {
                    naming.entry(id).or_default().push(row);
                }
            }
        }
        Ok(naming)
    }

    /// Records of our model that somebody else names, too (another pipeline, a module of Odoo), with such a name. What
    /// Odoo names by itself when somebody exports or imports says nothing.
    pub(super) async fn named_by_others(
        &self,
        entity: &str,
        ids: &[i64],
    ) -> Result<HashMap<i64, String>, Failure> {
        let mut named = HashMap::new();
        for ids in ids.chunks(LOOK_UP) {
            let mut search = SearchRead::new(DATA);
            search.domain = json!([
                ["model", "=", self.model],
                ["res_id", "in", ids],
                ["module", "not in", ["__export__", "__import__"]]
            ]);
            search.fields = ["module", "name", "res_id"].map(str::to_owned).to_vec();
            for row in self.client.search_read(&search).await? {
                let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
                let (module, name) = (text("module"), text("name"));
                let ours = module == self.prefix
                    && name.strip_prefix(entity).is_some_and(|rest| rest.starts_with('_'));
                if let (false, Some(id)) = (ours, number(&row, "res_id")) {
                    named.insert(id, format!("{module}.{name}"));
                }
            }
        }
        Ok(named)
    }

    /// Gives records names, all or none, and tells the rows of `ir.model.data` in order. A record may get several names;
    /// one name twice is refused.
    pub(super) async fn bind(&self, named: &[(&str, i64)]) -> Result<Vec<i64>, Failure> {
        let row = |(name, id): &(&str, i64)| -> Row {
            let cells = [
                ("module", Value::from(self.prefix.as_str())),
                ("name", (*name).into()),
                ("model", self.model.as_str().into()),
                ("res_id", (*id).into()),
                ("noupdate", false.into()),
            ];
            cells.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
        };
        let rows: Vec<Row> = named.iter().map(row).collect();
        self.client.create(DATA, &rows).await
    }

    /// Takes names away by their rows; the records stay.
    pub(super) async fn unbind(&self, rows: &[i64]) -> Result<(), Failure> {
        self.client.action(DATA, "unlink", rows).await
    }

    /// Rows of our model with a name of this entity, with the name and the record's id, in the order of the rows: the
    /// next ones `after` a row.
    pub(super) async fn page(
        &self,
        entity: &str,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, String, i64)>, Failure> {
        let mut search = SearchRead::new(DATA);
        search.domain = self.of_entity(entity);
        if let (Some(after), Some(domain)) = (after, search.domain.as_array_mut()) {
            domain.push(json!(["id", ">", after]));
        }
        search.fields = ["name", "res_id"].map(str::to_owned).to_vec();
        search.order = Some("id asc".to_owned());
        search.limit = Some(limit as u64);
        let rows = self.client.search_read(&search).await?;
        let named = |row: &Row| {
            let name = row.get("name").and_then(Value::as_str)?.to_owned();
            Some((number(row, "id")?, name, number(row, "res_id")?))
        };
        Ok(rows.iter().filter_map(named).collect())
    }

    /// Records of our model with a name of this entity.
    pub(super) async fn count(&self, entity: &str) -> Result<u64, Failure> {
        self.client.search_count(DATA, &self.of_entity(entity)).await
    }

    fn of_entity(&self, entity: &str) -> Value {
        // '_' stands for any character in a pattern of Odoo unless it is escaped.
        let pattern = format!("{}\\_%", entity.replace('_', "\\_"));
        json!([["module", "=", self.prefix], ["model", "=", self.model], ["name", "=like", pattern]])
    }
}

/// What names of a module stand for.
pub(super) async fn look_up(
    client: &OdooClient,
    module: &str,
    names: &[String],
) -> Result<HashMap<String, Target>, Failure> {
    let mut found = HashMap::with_capacity(names.len());
    for names in names.chunks(LOOK_UP) {
        let mut search = SearchRead::new(DATA);
        search.domain = json!([["module", "=", module], ["name", "in", names]]);
        search.fields = ["name", "model", "res_id"].map(str::to_owned).to_vec();
        for row in client.search_read(&search).await? {
            let text = |key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
            if let (Some(name), Some(model), Some(id), Some(row)) =
                (text("name"), text("model"), number(&row, "res_id"), number(&row, "id"))
            {
                found.insert(name, Target { row, model, id });
            }
        }
    }
    Ok(found)
}

/// A whole number of a row.
pub(super) fn number(row: &Row, key: &str) -> Option<i64> {
    row.get(key).and_then(Value::as_i64)
}
