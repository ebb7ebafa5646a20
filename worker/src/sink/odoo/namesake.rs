//! Which of the records of one name is meant.

use serde_json::Value;
use shared::odoo::Row;

use super::external::number;
use super::reference::Unresolved;

/// A record that a search by name brought.
pub(super) struct Namesake {
    id: i64,
    is_active: bool,
    /// Its texts in the fields of the search.
    texts: Vec<Option<String>>,
}

impl Namesake {
    /// Of a row with these fields.
    pub(super) fn of(row: &Row, fields: &[&str]) -> Option<Self> {
        let text = |field: &&str| row.get(*field).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            id: number(row, "id")?,
            is_active: row.get("active").and_then(Value::as_bool).unwrap_or(true),
            texts: fields.iter().map(text).collect(),
        })
    }
}

/// The record of a name: the first field in which it is anyone's decides, and of several the only one that is not archived.
pub(super) fn choose(name: &str, namesakes: &[Namesake], fields: usize) -> Result<i64, Unresolved> {
    for field in 0..fields {
        let is_called = |namesake: &&Namesake| {
            namesake.texts.get(field).is_some_and(|text| text.as_deref() == Some(name))
        };
        let all: Vec<&Namesake> = namesakes.iter().filter(is_called).collect();
        let active: Vec<&Namesake> = all.iter().copied().filter(|namesake| namesake.is_active).collect();
        match (all.as_slice(), active.as_slice()) {
            ([], _) => {}
            ([one], _) | (_, [one]) => return Ok(one.id),
            (several, _) => return Err(Unresolved::Several(several.iter().map(|one| one.id).collect())),
        }
    }
    Err(Unresolved::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namesake(id: i64, is_active: bool, texts: [&str; 2]) -> Namesake {
        Namesake { id, is_active, texts: texts.map(|text| Some(text.to_owned())).to_vec() }
    }

    #[test]
    fn most_precise_name_decides_and_archived_namesakes_do_not_disturb() {
        let all = [
            namesake(1, true, ["Saleable", "Saleable"]),
            namesake(2, true, ["All / Saleable", "Saleable"]),
            namesake(3, true, ["All / Tools", "Tools"]),
            namesake(4, false, ["Old / Tools", "Tools"]),
            namesake(5, true, ["A / Twice", "Twice"]),
            namesake(6, true, ["B / Twice", "Twice"]),
            namesake(7, false, ["Gone", "Gone"]),
        ];
        let choose = |name| choose(name, &all, 2);
        assert_eq!(choose("Saleable"), Ok(1));
        assert_eq!(choose("All / Saleable"), Ok(2));
        assert_eq!(choose("Tools"), Ok(3));
        assert_eq!(choose("Twice"), Err(Unresolved::Several(vec![5, 6])));
        assert_eq!(choose("Gone"), Ok(7));
        assert_eq!(choose("tools"), Err(Unresolved::Unknown));
    }
}
