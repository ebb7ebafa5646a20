//! Taking over records of Odoo that another program says belong to records of the source: each is looked at before it gets
//! our external id. The other program's id may be that of a variant or of a template, or of something else by now.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use shared::failure::Failure;
use shared::odoo::{Row, SearchRead};
use shared::record::RecordKey;

use super::external::number;
use super::matching::{self, Seeker};
use super::sink::OdooSink;

const VARIANT: &str = "product.product";
const TEMPLATE: &str = "product.template";

/// Records that are looked at, or bound, at once.
const BATCH: usize = 500;

/// What is said to be in Odoo.
#[derive(Debug, Clone)]
pub struct Adoption {
    /// The record's key in the source.
    pub key: RecordKey,
    /// The id of its product in Odoo, of a variant or of a template.
    pub id: i64,
    /// What the source calls it; empty where it has none.
    pub sku: String,
    /// Its name in the source.
    pub name: String,
}

/// What Odoo says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adopted {
    /// The record with this id is it, and carries no external id of ours.
    Found(i64),
    /// It is bound already, to the record with this id.
    Bound(i64),
    /// Why it is not it, in words.
    Refused(String),
}

/// A record of our model that the other program may mean.
#[derive(Debug)]
struct Candidate {
    id: i64,
    /// The id by which the other program would have called it.
    told: i64,
    /// What has that id.
    what: &'static str,
    sku: String,
    name: String,
}

impl OdooSink {
    /// Looks whether Odoo has what is said, in the order of `adoptions`. Changes nothing.
    ///
    /// # Errors
    /// A model without products; whatever keeps Odoo from answering.
    pub async fn examine(&self, adoptions: &[Adoption]) -> Result<Vec<Adopted>, Failure> {
        let mut all = Vec::with_capacity(adoptions.len());
        for batch in adoptions.chunks(BATCH) {
            all.extend(self.examine_batch(batch).await?);
        }
        refuse_twice(adoptions, &mut all);
        Ok(all)
    }

    async fn examine_batch(&self, adoptions: &[Adoption]) -> Result<Vec<Adopted>, Failure> {
        let ids: Vec<i64> = adoptions.iter().map(|adoption| adoption.id).collect();
        let candidates = self.candidates(&ids).await?;
        let judged: Vec<Result<i64, String>> =
            adoptions.iter().map(|adoption| judge(adoption, &candidates)).collect();
        let names: Vec<String> = adoptions.iter().map(|adoption| self.external_name(&adoption.key)).collect();
        let ours = self.names.look_up(&names).await?;
        let found: Vec<i64> = judged.iter().filter_map(|verdict| verdict.clone().ok()).collect();
        let naming = self.names.naming(&found).await?;
        let adopted = names.iter().zip(judged).map(|(name, verdict)| match (ours.get(name), verdict) {
            (Some(target), Ok(id)) if target.id == id && target.model == self.settings.model => {
                Adopted::Bound(id)
            }
            (Some(target), _) => Adopted::Refused(format!(
                "the external id '{}.{name}' is on record {} of '{}' already",
                self.settings.prefix, target.id, target.model
            )),
            (None, Ok(id)) if naming.contains_key(&id) => {
                Adopted::Refused(format!("record {id} of Odoo carries the external id of another record"))
            }
            (None, Ok(id)) => Adopted::Found(id),
            (None, Err(why)) => Adopted::Refused(why),
        });
        Ok(adopted.collect())
    }

    /// Gives found records their external ids: a batch in one transaction; where Odoo refuses that, one by one.
    ///
    /// # Errors
    /// Of a record: why it has none now. The outer failure is the system's.
    pub async fn adopt(&self, found: &[(RecordKey, i64)]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut all = Vec::with_capacity(found.len());
        for batch in found.chunks(BATCH) {
            let seeker = |(row, (key, _)): (usize, &(RecordKey, i64))| Seeker {
                row,
                key: key.as_str().to_owned(),
                name: self.external_name(key),
                values: Vec::new(),
            };
            let seekers: Vec<Seeker> = batch.iter().enumerate().map(seeker).collect();
            let named: Vec<(&Seeker, i64)> =
                seekers.iter().zip(batch).map(|(seeker, (_, id))| (seeker, *id)).collect();
            let mut verdicts: HashMap<usize, Result<i64, Failure>> =
                matching::tie(&self.names, &named).await?.into_iter().collect();
            all.extend(
                (0..batch.len()).map(|row| verdicts.remove(&row).map_or(Ok(()), |told| told.map(drop))),
            );
        }
        Ok(all)
    }

    async fn candidates(&self, ids: &[i64]) -> Result<Vec<Candidate>, Failure> {
        let mut candidates = Vec::new();
        match self.settings.model.as_str() {
            VARIANT => {
                for row in self.products(VARIANT, &json!([["id", "in", ids]])).await? {
                    candidates.extend(candidate(&row, number(&row, "id"), "variant"));
                }
                for row in self.products(VARIANT, &json!([["product_tmpl_id", "in", ids]])).await? {
                    candidates.extend(candidate(&row, template_of(&row), "template"));
                }
            }
            TEMPLATE => {
                for row in self.products(TEMPLATE, &json!([["id", "in", ids]])).await? {
                    candidates.extend(candidate(&row, number(&row, "id"), "template"));
                }
                let variants = self.products(VARIANT, &json!([["id", "in", ids]])).await?;
                let templates: Vec<i64> = variants.iter().filter_map(template_of).collect();
                let templates = self.products(TEMPLATE, &json!([["id", "in", templates]])).await?;
                for variant in &variants {
                    let theirs =
                        templates.iter().find(|template| number(template, "id") == template_of(variant));
                    candidates
                        .extend(theirs.and_then(|row| candidate(row, number(variant, "id"), "variant")));
                }
            }
            model => {
                return Err(Failure::configuration(format!("records of '{model}' cannot be taken over"))
                    .advise("only product.product and product.template can"));
            }
        }
        Ok(candidates)
    }

    async fn products(&self, model: &str, domain: &Value) -> Result<Vec<Row>, Failure> {
        let mut search = SearchRead::new(model);
        search.domain = domain.clone();
        search.fields = ["name", "default_code"].map(str::to_owned).to_vec();
        if model == VARIANT {
            search.fields.push("product_tmpl_id".to_owned());
        }
        search.order = Some("id asc".to_owned());
        self.client.search_read(&search).await
    }
}

fn template_of(row: &Row) -> Option<i64> {
    row.get("product_tmpl_id")?.as_array()?.first()?.as_i64()
}

fn candidate(row: &Row, told: Option<i64>, what: &'static str) -> Option<Candidate> {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    Some(Candidate {
        id: number(row, "id")?,
        told: told?,
        what,
        sku: text("default_code"),
        name: text("name"),
    })
}

/// The record that is meant: the same SKU, or, where one of the two has none, the same name. Where both the variant and the
/// template of an id would fit, a person has to say which.
fn judge(adoption: &Adoption, candidates: &[Candidate]) -> Result<i64, String> {
    let (sku, name) = (adoption.sku.trim(), adoption.name.trim());
    let meant: Vec<&Candidate> =
        candidates.iter().filter(|candidate| candidate.told == adoption.id).collect();
    let fitting = |fits: &dyn Fn(&Candidate) -> bool| {
        let mut ids: Vec<i64> =
            meant.iter().filter(|candidate| fits(candidate)).map(|found| found.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let by_sku = fitting(&|candidate| !sku.is_empty() && candidate.sku == sku);
    let by_name = fitting(&|candidate| {
        (sku.is_empty() || candidate.sku.is_empty()) && !name.is_empty() && candidate.name == name
    });
    match (by_sku.as_slice(), by_name.as_slice()) {
        ([one], _) | ([], [one]) => Ok(*one),
        ([], []) => Err(differs(adoption, &meant)),
        ([], several) | (several, _) => Err(format!(
            "id {} fits {} records of Odoo: {}",
            adoption.id,
            several.len(),
            several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        )),
    }
}

fn differs(adoption: &Adoption, meant: &[&Candidate]) -> String {
    let (id, sku, name) = (adoption.id, adoption.sku.trim(), adoption.name.trim());
    let shown: Vec<String> = meant
        .iter()
        .take(3)
        .map(|found| format!("{} {id} is '{}' with SKU '{}'", found.what, found.name, found.sku))
        .collect();
    if shown.is_empty() {
        return format!("Odoo has neither a variant nor a template with the id {id}");
    }
    format!("{}; the source has '{name}' with SKU '{sku}'", shown.join(", "))
}

/// One record of Odoo belongs to one record of the source.
fn refuse_twice(adoptions: &[Adoption], all: &mut [Adopted]) {
    let id_of = |adopted: &Adopted| match adopted {
        Adopted::Found(id) | Adopted::Bound(id) => Some(*id),
        Adopted::Refused(_) => None,
    };
    let mut seen = HashSet::new();
    let twice: HashSet<i64> = all.iter().filter_map(id_of).filter(|id| !seen.insert(*id)).collect();
    let keys = |id: i64| -> Vec<&str> {
        let those = adoptions.iter().zip(all.iter()).filter(|(_, adopted)| id_of(adopted) == Some(id));
        those.map(|(adoption, _)| adoption.key.as_str()).take(5).collect()
    };
    let told: HashMap<i64, String> = twice
        .iter()
        .map(|id| (*id, format!("record {id} of Odoo is said to be all of these: {}", keys(*id).join(", "))))
        .collect();
    for adopted in all {
        if let Adopted::Found(id) = adopted
            && let Some(why) = told.get(id)
        {
            *adopted = Adopted::Refused(why.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adoption(key: u64, id: i64, sku: &str, name: &str) -> Adoption {
        Adoption { key: key.into(), id, sku: sku.to_owned(), name: name.to_owned() }
    }

    fn of(id: i64, told: i64, what: &'static str, sku: &str, name: &str) -> Candidate {
        Candidate { id, told, what, sku: sku.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn an_id_is_a_variant_s_or_a_template_s_and_the_sku_tells_which() {
        let candidates = [of(7, 7, "variant", "A", "Cup"), of(9, 7, "template", "B", "Mug")];
        assert_eq!(judge(&adoption(1, 7, "A", "Cup"), &candidates), Ok(7));
        assert_eq!(judge(&adoption(1, 7, "B", "another name"), &candidates), Ok(9));
        let neither = judge(&adoption(1, 7, "C", "Cup"), &candidates).unwrap_err();
        assert!(neither.contains("variant 7 is 'Cup' with SKU 'A'"), "{neither}");
        assert!(neither.contains("template 7 is 'Mug' with SKU 'B'"), "{neither}");
    }

    #[test]
    fn a_name_counts_where_one_has_no_sku_and_only_once() {
        assert_eq!(judge(&adoption(1, 7, "", " Cup "), &[of(7, 7, "variant", "A", "Cup")]), Ok(7));
        assert_eq!(judge(&adoption(1, 7, "A", "Cup"), &[of(7, 7, "variant", "", "Cup")]), Ok(7));
        let both = [of(7, 7, "variant", "", "Cup"), of(9, 7, "template", "", "Cup")];
        assert!(judge(&adoption(1, 7, "", "Cup"), &both).unwrap_err().contains("fits 2 records"));
        let same = [of(7, 7, "variant", "", "Cup"), of(7, 7, "template", "", "Cup")];
        assert_eq!(judge(&adoption(1, 7, "", "Cup"), &same), Ok(7));
        assert!(judge(&adoption(1, 8, "", "Cup"), &both).unwrap_err().contains("neither a variant"));
        assert!(judge(&adoption(1, 7, "", ""), &[of(7, 7, "variant", "", "")]).is_err(), "nothing agrees");
    }

    #[test]
    fn a_record_that_is_said_to_be_two_is_neither() {
        let adoptions = [adoption(1, 7, "", "Cup"), adoption(2, 7, "", "Cup"), adoption(3, 8, "", "Mug")];
        let mut all = vec![Adopted::Found(7), Adopted::Found(7), Adopted::Found(8)];
        refuse_twice(&adoptions, &mut all);
        let Adopted::Refused(why) = &all[0] else { panic!("{all:?}") };
        assert!(why.contains("1, 2"), "{why}");
        assert_eq!((&all[1], &all[2]), (&Adopted::Refused(why.clone()), &Adopted::Found(8)));
    }
}
