//! Finding the record of Odoo that a source record already has, although it carries no external id of ours.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};
use shared::failure::{Class, Failure, Reason};
use shared::odoo::{OdooClient, SearchRead};

use super::cell::Cell;
use super::change::outcome_unknown;
use super::column::Column;
use super::external::{ExternalIds, number};

/// A source record that is looked for.
#[derive(Debug, Clone)]
pub(super) struct Seeker {
    /// Row of the batch.
    pub(super) row: usize,
    /// Its key in the source.
    pub(super) key: String,
    /// The name of its external id, without prefix.
    pub(super) name: String,
    /// Its values, in the order of the keys that are tried; the empty ones find nobody.
    pub(super) values: Vec<String>,
}

/// A record of Odoo with the value that is looked for.
#[derive(Debug, Clone)]
struct Match {
    id: i64,
    shown: String,
    value: String,
}

/// What one key says of the seekers: whom it belongs to, or why that cannot be told. Those that it does not find are not
/// named.
pub(super) type Verdicts = Vec<(usize, Result<i64, Failure>)>;

/// What becomes of records that are found.
#[derive(Debug)]
pub(super) enum Find<'a> {
    /// They get our external ids.
    Bind,
    /// Nothing is written: these are promised, and those that are found are from now on.
    Look(&'a mut HashSet<i64>),
}

/// Looks for all seekers by each key in turn, and gives those that are found an external id. Tells the record's id, or why
/// it cannot be told; who is not named is not there.
pub(super) async fn bind(
    client: &OdooClient,
    names: &ExternalIds,
    model: &str,
    keys: &[&Column],
    mut seekers: Vec<Seeker>,
    mut find: Find<'_>,
) -> Result<HashMap<usize, Result<i64, Failure>>, Failure> {
    let mut verdicts = HashMap::new();
    let mut taken: HashSet<i64> = match &find {
        Find::Bind => HashSet::new(),
        Find::Look(promised) => (*promised).clone(),
    };
    for (position, key) in keys.iter().enumerate() {
        let given = given(&seekers, position);
        if given.is_empty() {
            continue;
        }
        let matches = search(client, model, key, given.keys().copied().collect()).await?;
        let ids: Vec<i64> = matches.iter().map(|found| found.id).collect();
        taken.extend(names.naming(&ids).await?.keys());
        let judged = judge(key, &given, &matches, &taken);
        let mut found = Vec::new();
        for (row, verdict) in judged {
            match (verdict, seekers.iter().find(|seeker| seeker.row == row)) {
                (Ok(id), Some(seeker)) => found.push((seeker, id)),
                (verdict, _) => drop(verdicts.insert(row, verdict)),
            }
        }
        if !found.is_empty() {
            taken.extend(found.iter().map(|(_, id)| id));
            match &mut find {
                Find::Bind => verdicts.extend(tie(names, &found).await?),
                Find::Look(promised) => {
                    promised.extend(found.iter().map(|(_, id)| id));
                    verdicts.extend(found.iter().map(|(seeker, id)| (seeker.row, Ok(*id))));
                }
            }
        }
        seekers.retain(|seeker| !verdicts.contains_key(&seeker.row));
    }
    Ok(verdicts)
}

/// The seekers by the value of one key.
fn given(seekers: &[Seeker], position: usize) -> BTreeMap<&str, Vec<&Seeker>> {
    let mut given: BTreeMap<&str, Vec<&Seeker>> = BTreeMap::new();
    for seeker in seekers {
        if let Some(value) = seeker.values.get(position).filter(|value| !value.is_empty()) {
            given.entry(value).or_default().push(seeker);
        }
    }
    given
}

async fn search(
    client: &OdooClient,
    model: &str,
    key: &Column,
    values: Vec<&str>,
) -> Result<Vec<Match>, Failure> {
    let mut search = SearchRead::new(model);
    search.domain = json!([[key.field, "in", values]]);
    search.fields = vec![key.field.clone(), "display_name".to_owned()];
    search.order = Some("id asc".to_owned());
    let rows = client.search_read(&search).await?;
    let found = rows.iter().filter_map(|row| {
        let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = number(row, "id")?;
        Some(Match { id, shown: text("display_name").unwrap_or_default(), value: text(&key.field)? })
    });
    Ok(found.collect())
}

/// A record that is ours already is nobody else's. Of those that are left there may be one, and it may be wanted by one
/// seeker, and no other record may have the same value: else a person has to say who is who.
fn judge(
    key: &Column,
    given: &BTreeMap<&str, Vec<&Seeker>>,
    matches: &[Match],
    taken: &HashSet<i64>,
) -> Verdicts {
    let mut verdicts = Verdicts::new();
    for (value, seekers) in given {
        let all: Vec<&Match> = matches.iter().filter(|found| found.value == *value).collect();
        let is_free = all.iter().any(|found| !taken.contains(&found.id));
        match (is_free, all.as_slice(), seekers.as_slice()) {
            (false, _, _) => {}
            (true, [one], [seeker]) => verdicts.push((seeker.row, Ok(one.id))),
            (true, all, seekers) => {
                let failure = ambiguous(key, value, all, seekers);
                verdicts.extend(seekers.iter().map(|seeker| (seeker.row, Err(failure.clone()))));
            }
        }
    }
    verdicts
}

fn ambiguous(key: &Column, value: &str, all: &[&Match], seekers: &[&Seeker]) -> Failure {
    let shown: Vec<String> =
        all.iter().take(5).map(|found| format!("'{}' (id {})", found.shown, found.id)).collect();
    let shown = shown.join(", ");
    let (label, name) = (&key.label, &key.name);
    let what = if all.len() > 1 {
        format!("{} records of Odoo have {label} '{value}' (column '{name}'): {shown}", all.len())
    } else {
        let keys: Vec<&str> = seekers.iter().take(5).map(|seeker| seeker.key.as_str()).collect();
        format!(
            "{} records of the source have {label} '{value}' (column '{name}'): {}; either could be {shown} of Odoo",
            seekers.len(),
            keys.join(", ")
        )
    };
    Failure::permanent(Reason::BadRecord, what)
        .advise(format!("give each its own {label}, then run `catalog-sync dead redrive`"))
}

/// Gives found records their external ids, and makes sure that none got another one at the same time: then both are taken
/// back, and one of them wins the next attempt.
pub(super) async fn tie(names: &ExternalIds, found: &[(&Seeker, i64)]) -> Result<Verdicts, Failure> {
    let named: Vec<(&str, i64)> = found.iter().map(|(seeker, id)| (seeker.name.as_str(), *id)).collect();
    let mut verdicts = Verdicts::new();
    let mut made: Vec<(usize, i64, i64)> = Vec::new();
    match names.bind(&named).await {
        Ok(rows) => made.extend(found.iter().zip(rows).map(|((seeker, id), row)| (seeker.row, *id, row))),
        Err(failure) if failure.class != Class::Permanent => return Err(outcome_unknown(&failure)),
        Err(_) => {
            for ((seeker, id), name) in found.iter().zip(&named) {
                match names.bind(std::slice::from_ref(name)).await {
                    Ok(rows) => made.extend(rows.first().map(|row| (seeker.row, *id, *row))),
                    Err(failure) => {
                        verdicts.push((seeker.row, Err(refused(names, &seeker.name, failure).await?)));
                    }
                }
            }
        }
    }
    let ids: Vec<i64> = made.iter().map(|(_, id, _)| *id).collect();
    let naming = names.naming(&ids).await?;
    let is_alone = |id: &i64| naming.get(id).is_none_or(|rows| rows.len() <= 1);
    let withdrawn: Vec<i64> =
        made.iter().filter(|(_, id, _)| !is_alone(id)).map(|(_, _, row)| *row).collect();
    if !withdrawn.is_empty() {
        names.unbind(&withdrawn).await?;
    }
    verdicts.extend(
        made.into_iter().map(|(row, id, _)| (row, if is_alone(&id) { Ok(id) } else { Err(overtaken()) })),
    );
    Ok(verdicts)
}

/// Why a name could not be given: it may be there by now.
async fn refused(names: &ExternalIds, name: &str, failure: Failure) -> Result<Failure, Failure> {
    let there = names.look_up(&[name.to_owned()]).await?;
    Ok(if there.contains_key(name) { overtaken() } else { failure })
}

fn overtaken() -> Failure {
    Failure::transient(Reason::Conflict, "another worker gave the record an external id at the same time")
}

/// The value that a cell is looked for by.
pub(super) fn sought(cell: Option<&Cell>) -> String {
    cell.map_or("", Cell::text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::column::tests::column;
    use super::*;
    use proptest::prelude::*;

    fn seeker(row: usize, value: &str) -> Seeker {
        Seeker { row, key: format!("k{row}"), name: format!("item_k{row}"), values: vec![value.to_owned()] }
    }

    fn found(id: i64, value: &str) -> Match {
        Match { id, shown: format!("[{value}] Thing {id}"), value: value.to_owned() }
    }

    fn judged(seekers: &[Seeker], matches: &[Match], taken: &[i64]) -> HashMap<usize, Result<i64, String>> {
        let taken = taken.iter().copied().collect();
        let verdicts = judge(&column("name"), &given(seekers, 0), matches, &taken);
        verdicts
            .into_iter()
            .map(|(row, verdict)| (row, verdict.map_err(|failure| failure.to_string())))
            .collect()
    }

    #[test]
    fn one_match_is_it_and_one_of_ours_is_nobody_s() {
        let seekers = [seeker(0, "A"), seeker(1, "B"), seeker(2, "C"), seeker(3, "")];
        let verdicts = judged(&seekers, &[found(7, "A"), found(8, "B")], &[8]);
        assert_eq!(verdicts, HashMap::from([(0, Ok(7))]));
    }

    #[test]
    fn several_matches_are_named() {
        let verdicts = judged(&[seeker(0, "A")], &[found(7, "A"), found(8, "A")], &[8]);
        let told = verdicts[&0].as_ref().unwrap_err();
        assert!(told.contains("'[A] Thing 7' (id 7), '[A] Thing 8' (id 8)"), "{told}");
    }

    #[test]
    fn key_that_two_records_of_the_source_have_finds_nobody() {
        let seekers = [seeker(0, "A"), seeker(1, "A")];
        let verdicts = judged(&seekers, &[found(7, "A")], &[]);
        assert!(verdicts[&0].as_ref().unwrap_err().contains("2 records of the source"));
        assert!(verdicts[&1].as_ref().unwrap_err().contains("k0, k1"));
        assert!(judged(&seekers, &[found(7, "A")], &[7]).is_empty(), "ours already: both are new");
    }

    proptest! {
        #[test]
        fn no_record_is_given_twice_nor_one_that_is_ours(
            values in proptest::collection::vec("[ab]{0,2}", 0..12),
            records in proptest::collection::vec("[ab]{1,2}", 0..12),
            ours in proptest::collection::hash_set(0_i64..12, 0..6),
        ) {
            let seekers: Vec<Seeker> = values.iter().enumerate().map(|(row, value)| seeker(row, value)).collect();
            let matches: Vec<Match> = records.iter().zip(0..).map(|(value, id)| found(id, value)).collect();
            let verdicts = judge(&column("name"), &given(&seekers, 0), &matches, &ours);
            let mut given_away = HashSet::new();
            for id in verdicts.into_iter().filter_map(|(_, verdict)| verdict.ok()) {
                prop_assert!(!ours.contains(&id));
                prop_assert!(given_away.insert(id));
            }
        }
    }
}
