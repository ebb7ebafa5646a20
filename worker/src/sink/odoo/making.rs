//! Making records that references name and that Odoo does not have, where the mapping says so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shared::checksum::Checksum;
use shared::failure::{Class, Failure};

use super::change::{Applied, Change, What};
use super::external::{LOOK_UP, look_up};
use super::reference::{Found, References, Unresolved};
use super::wanted::Called;

/// Records made in one call.
const BATCH: usize = 100;

/// What stands between the parts of a path, in a name such as "All / Chairs".
const PATH: &str = " / ";

impl References {
    /// Makes records with these names and nothing else. Each gets an external id that follows from its name, in one
    /// transaction with it: of two workers that make the same one, the second finds the first one's. A record that we made
    /// and that somebody has renamed since is still meant by its first name.
    pub(super) async fn make(&mut self, wanted: BTreeSet<(String, Called)>) -> Result<Found, Failure> {
        let mut models: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (model, called) in wanted {
            if let Called::Name(name) = called {
                models.entry(model).or_default().push(name);
            }
        }
        let mut found = Found::new();
        for (model, names) in models {
            for names in names.chunks(LOOK_UP) {
                for (name, answer) in self.make_of(&model, names).await? {
                    let place = (model.clone(), Called::Name(name));
                    if let Ok(id) = &answer {
                        self.known.insert(place.clone(), *id);
                    }
                    found.insert(place, answer);
                }
            }
        }
        Ok(found)
    }

    async fn make_of(
        &self,
        model: &str,
        names: &[String],
    ) -> Result<Vec<(String, Result<i64, Unresolved>)>, Failure> {
        let external: Vec<String> = names.iter().map(|name| external_name(model, name)).collect();
        let targets = look_up(&self.client, &self.prefix, &external).await?;
        let ids: Vec<i64> = targets.values().map(|target| target.id).collect();
        let there = self.existing(model, &ids).await?;
        let mut answers = Vec::with_capacity(names.len());
        let mut new: Vec<(&String, &String)> = Vec::new();
        for (name, external) in names.iter().zip(&external) {
            match targets.get(external).filter(|target| target.model == model && there.contains(&target.id)) {
                Some(target) => answers.push((name.clone(), Ok(target.id))),
                None if name.contains(PATH) => {
                    let why = format!("a name with '{PATH}' stands for a path");
                    answers.push((name.clone(), Err(Unresolved::NotMade(why))));
                }
                None => new.push((name, external)),
            }
        }
        let cells = |(name, external): &(&String, &String)| -> Vec<Value> {
            vec![json!(format!("{}.{external}", self.prefix)), json!(name)]
        };
        let change = Change {
            rows: (0..new.len()).collect(),
            what: What::Load {
                headings: vec!["id".to_owned(), "name".to_owned()],
                cells: new.iter().map(cells).collect(),
            },
        };
        let Applied { answers: made, stopped } = change.apply(&self.client, model, BATCH).await;
        if let Some(failure) = stopped {
            return Err(failure);
        }
        for (row, answer) in made {
            let Some((name, _)) = new.get(row) else { continue };
            answers.push(match answer {
                Ok(id) => {
                    tracing::info!(
                        model,
                        name = name.as_str(),
                        id,
                        "made in Odoo, since a record refers to it"
                    );
                    ((*name).clone(), Ok(id))
                }
                Err(failure) if failure.class == Class::Permanent => {
                    ((*name).clone(), Err(Unresolved::NotMade(failure.what().to_owned())))
                }
                Err(failure) => return Err(failure),
            });
        }
        Ok(answers)
    }
}

/// The external id of a record that is made for its name, without the prefix: such as `made_product_category_0f3c...`.
fn external_name(model: &str, name: &str) -> String {
    let sum = Checksum::of_value(&json!([model, name])).to_string();
    let short: String = sum.chars().take(20).collect();
    format!("made_{}_{short}", model.replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_ids_follow_from_model_and_name_alone() {
        let oak = external_name("product.category", "Oak");
        assert_eq!(oak, external_name("product.category", "Oak"));
        assert!(oak.starts_with("made_product_category_"), "{oak}");
        assert_eq!(oak.len(), "made_product_category_".len() + 20);
        for other in [external_name("product.category", "oak"), external_name("product.tag", "Oak")] {
            assert_ne!(oak, other);
        }
    }
}
