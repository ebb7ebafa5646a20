//! Finding the records that references name, each once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::failure::{Failure, Reason};
use shared::odoo::{OdooClient, SearchRead};

use super::column::Column;
use super::external::{LOOK_UP, look_up};
use super::namesake::{Namesake, choose};
use super::wanted::Called;

/// How long a found record is believed to be still there under that name. A refusal is doubted at once, so this is only
/// how long one that was renamed goes on under its old name.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// Most found records that are kept.
const KEPT: usize = 20_000;

/// Most rows of one search by name.
const ROWS: u64 = 10_000;

/// The model whose records are called by name within one of [`COUNTRY`].
pub(super) const STATE: &str = "res.country.state";

/// See [`STATE`].
pub(super) const COUNTRY: &str = "res.country";

/// The fields by which people call a record, the most precise first. Only those that a model has and stores are asked.
const CALLED_BY: [&str; 3] = ["complete_name", "name", "code"];

/// Why a reference leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unresolved {
    Unknown,
    /// Database ids of all that are called so.
    Several(Vec<i64>),
    /// It was to be made, and Odoo, or we, would not.
    NotMade(String),
}

/// What references lead to, by model and by what the record is called.
pub(super) type Found = HashMap<(String, Called), Result<i64, Unresolved>>;

/// What is remembered of finds: ids by model and by what the record is called.
pub(super) type Known = HashMap<(String, Called), i64>;

/// What has been found so far. Only finds are kept: a record that is missing may be made at any time.
#[derive(Debug)]
pub(super) struct References {
    pub(super) client: OdooClient,
    /// First part of the external ids of what we make.
    pub(super) prefix: String,
    pub(super) known: Known,
    since: Instant,
    /// Something was answered from what was found before.
    remembered: bool,
    /// By model the fields of [`CALLED_BY`] that it has, and whether its records can be archived.
    described: HashMap<String, (Vec<&'static str>, bool)>,
}

impl References {
    pub(super) fn new(client: OdooClient, prefix: &str) -> Self {
        Self {
            client,
            prefix: prefix.to_owned(),
            known: HashMap::new(),
            since: Instant::now(),
            remembered: false,
            described: HashMap::new(),
        }
    }

    /// Forgets everything, and tells what it was.
    pub(super) fn forget(&mut self) -> Known {
        self.since = Instant::now();
        self.remembered = false;
        std::mem::take(&mut self.known)
    }

    /// Whether something was answered from memory since everything was forgotten.
    pub(super) fn were_remembered(&self) -> bool {
        self.remembered
    }

    /// Finds all these, by model.
    pub(super) async fn find(
        &mut self,
        wanted: &BTreeMap<String, BTreeSet<Called>>,
    ) -> Result<Found, Failure> {
        if self.since.elapsed() > KEPT_FOR || self.known.len() > KEPT {
            self.forget();
        }
        let mut found = Found::new();
        for (model, called) in wanted {
            let mut missing = Vec::new();
            for one in called {
                let place = (model.clone(), one.clone());
                match self.known.get(&place) {
                    Some(id) => {
                        self.remembered = true;
                        found.insert(place, Ok(*id));
                    }
                    None => missing.push(one.clone()),
                }
            }
            for chunk in missing.chunks(LOOK_UP) {
                for (called, answer) in self.look(model, chunk).await? {
                    let place = (model.clone(), called);
                    if let Ok(id) = &answer {
                        self.known.insert(place.clone(), *id);
                    }
                    found.insert(place, answer);
                }
            }
        }
        Ok(found)
    }

    async fn look(
        &mut self,
        model: &str,
        called: &[Called],
    ) -> Result<Vec<(Called, Result<i64, Unresolved>)>, Failure> {
        let mut names = Vec::new();
        let mut external = Vec::new();
        let mut ids = Vec::new();
        let mut within: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for one in called {
            match one {
                Called::Within(name, id) => within.entry(*id).or_default().push(name.clone()),
                Called::Name(name) => names.push(name.clone()),
                Called::ExternalId(name) => external.push(name.clone()),
                Called::Id(id) => ids.push(*id),
            }
        }
        let mut answers = Vec::with_capacity(called.len());
        let there = self.existing(model, &ids).await?;
        answers.extend(
            ids.into_iter().map(|id| {
                (Called::Id(id), if there.contains(&id) { Ok(id) } else { Err(Unresolved::Unknown) })
            }),
        );
        for (id, names) in within {
            let found = self.by_name(model, names, Some(id)).await?;
            answers.extend(found.into_iter().map(|(name, answer)| (Called::Within(name, id), answer)));
        }
        let by_name = self.by_name(model, names, None).await?;
        let unnamed: Vec<String> = by_name
            .iter()
            .filter(|(name, answer)| *answer == Err(Unresolved::Unknown) && looks_external(name))
            .map(|(name, _)| name.clone())
            .collect();
        let by_external = self.by_external_id(model, external.iter().chain(&unnamed)).await?;
        let external_answer = |name: &String| by_external.get(name).copied().ok_or(Unresolved::Unknown);
        answers.extend(by_name.into_iter().map(|(name, answer)| {
            let answer = answer.or_else(|unresolved| external_answer(&name).map_err(|_| unresolved));
            (Called::Name(name), answer)
        }));
        answers.extend(external.into_iter().map(|name| {
            let answer = external_answer(&name);
            (Called::ExternalId(name), answer)
        }));
        Ok(answers)
    }

    pub(super) async fn existing(&self, model: &str, ids: &[i64]) -> Result<HashSet<i64>, Failure> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let mut search = SearchRead::new(model);
        search.domain = json!([["id", "in", ids]]);
        Ok(self.client.search(&search).await?.into_iter().collect())
    }

    async fn by_external_id(
        &self,
        model: &str,
        names: impl Iterator<Item = &String>,
    ) -> Result<HashMap<String, i64>, Failure> {
        let mut modules: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (module, name) in names.filter_map(|name| name.split_once('.')) {
            modules.entry(module).or_default().push(name.to_owned());
        }
        let mut found = HashMap::new();
        for (module, names) in modules {
            let targets = look_up(&self.client, module, &names).await?;
            let ids: Vec<i64> = targets.values().map(|target| target.id).collect();
            let there = self.existing(model, &ids).await?;
            let ours =
                targets.into_iter().filter(|(_, target)| target.model == model && there.contains(&target.id));
            found.extend(ours.map(|(name, target)| (format!("{module}.{name}"), target.id)));
        }
        Ok(found)
    }

    async fn by_name(
        &mut self,
        model: &str,
        names: Vec<String>,
        country: Option<i64>,
    ) -> Result<Vec<(String, Result<i64, Unresolved>)>, Failure> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let (fields, has_active) = self.describe(model).await?;
        let mut search = SearchRead::new(model);
        let mut domain = vec![json!("|"); fields.len().saturating_sub(1)];
        domain.extend(fields.iter().map(|field| json!([field, "in", names])));
        domain.extend(country.map(|country| json!(["country_id", "=", country])));
        search.domain = Value::Array(domain);
        search.fields = fields.iter().map(|field| (*field).to_owned()).collect();
        search.limit = Some(ROWS);
        if has_active {
            search.fields.push("active".to_owned());
        }
        let rows = self.client.search_read(&search).await?;
        let namesakes: Vec<Namesake> = rows.iter().filter_map(|row| Namesake::of(row, &fields)).collect();
        Ok(names
            .into_iter()
            .map(|name| {
                let answer = choose(&name, &namesakes, fields.len());
                (name, answer)
            })
            .collect())
    }

    async fn describe(&mut self, model: &str) -> Result<(Vec<&'static str>, bool), Failure> {
        if let Some(described) = self.described.get(model) {
            return Ok(described.clone());
        }
        let fields = self.client.fields_get(model, &["type", "store"].map(str::to_owned)).await?;
        let is_stored = |name: &str| {
            let field = fields.get(name);
            let is = |key: &str, value: &Value| field.and_then(|field| field.get(key)) == Some(value);
            is("type", &json!("char")) && !is("store", &json!(false))
        };
        let called_by: Vec<&str> = CALLED_BY.into_iter().filter(|name| is_stored(name)).collect();
        if called_by.is_empty() {
            let what = format!("records of model '{model}' have no name to find them by");
            return Err(Failure::systemic(Reason::Field, what)
                .advise("map to external ids (column ending in /id) or database ids (/.id)"));
        }
        let described = (called_by, fields.contains_key("active"));
        self.described.insert(model.to_owned(), described.clone());
        Ok(described)
    }
}

/// Whether a name may be meant as an external id, such as `uom.product_uom_unit`.
fn looks_external(name: &str) -> bool {
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !part.contains(char::is_whitespace)
    };
    name.split_once('.').is_some_and(|(module, name)| is_name(module) && is_name(name))
}

/// The failure of a record that refers to what is not there.
pub(super) fn unresolved(column: &Column, called: &Called, why: &Unresolved) -> Failure {
    let (shown, label) = (called.to_string(), &column.label);
    let (what, advice) = match why {
        Unresolved::Unknown => (
            format!("{label} {shown} does not exist in Odoo (column '{}')", column.name),
            "create it there, or map it to an existing one",
        ),
        Unresolved::NotMade(why) => (
            format!(
                "{label} {shown} does not exist in Odoo and was not made (column '{}'): {why}",
                column.name
            ),
            "create it there, or map it to an existing one",
        ),
        Unresolved::Several(ids) => {
            let ids: Vec<String> = ids.iter().take(5).map(i64::to_string).collect();
            (
                format!(
                    "{label} {shown} is the name of several records in Odoo, with the ids {} (column '{}')",
                    ids.join(", "),
                    column.name
                ),
                "rename all but one, or map it to an id",
            )
        }
    };
    Failure::permanent(Reason::BadRecord, what).advise(advice)
}

#[cfg(test)]
mod tests {
    use super::super::column::tests::column;
    use super::*;

    #[test]
    fn missing_unit_is_told_in_words_of_a_shop() {
        let pcs = Called::Name("pcs".to_owned());
        let failure = unresolved(&column("uom_id"), &pcs, &Unresolved::Unknown);
        assert_eq!(
            failure.to_string(),
            "Unit of Measure 'pcs' does not exist in Odoo (column 'uom_id'); create it there, or map it to an existing one"
        );
        let failure = unresolved(&column("uom_id"), &pcs, &Unresolved::Several(vec![3, 4]));
        assert!(failure.to_string().contains("with the ids 3, 4"), "{failure}");
    }

    #[test]
    fn only_dotted_words_may_be_external_ids() {
        assert!(looks_external("uom.product_uom_unit"));
        for name in ["Units", "1.5 l", "St. Gallen", "a.", "3.5mm", "www example.com"] {
            assert!(!looks_external(name), "{name}");
        }
    }
}
