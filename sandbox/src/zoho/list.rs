//! Lists: parameters, order, pages and the page context.

use serde_json::{Value as Json, json};

use crate::zoho::clock::parse_bound;
use crate::zoho::error::ApiError;
use crate::zoho::params::Params;
use crate::zoho::table::{Record, SortKey, Table};

/// Most rows of one page; a larger wish is cut down to it.
const MAX_PER_PAGE: usize = 200;
/// The column that has its own index.
const MODIFIED: &str = "last_modified_time";

/// What a list of one product takes.
#[derive(Debug)]
pub(crate) struct ListRules {
    /// The key of the rows and the report's name.
    pub(crate) rows: &'static str,
    pub(crate) report_name: &'static str,
    /// Columns that can be sorted by; the first is the default.
    pub(crate) columns: &'static [&'static str],
    pub(crate) filters: &'static [&'static str],
    /// Whether an unknown column is refused; where it is not, it is silently ignored.
    pub(crate) refuses_columns: bool,
    /// Whether the filter by change time works; where it does not, it is silently ignored.
    pub(crate) filters_by_time: bool,
}

/// A request for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListQuery {
    page: usize,
    per_page: usize,
    column: &'static str,
    is_descending: bool,
    since: i64,
    /// The filter by its API name, such as `Status.All`.
    pub(crate) filter: &'static str,
}

impl ListQuery {
    pub(crate) fn read(params: &Params, rules: &ListRules) -> Result<Self, ApiError> {
        let number = |name: &str, default: usize| match params.filled(name) {
            Some(text) => {
                text.parse().ok().filter(|number| *number > 0).ok_or_else(|| ApiError::invalid_value(name))
            }
            None => Ok(default),
        };
        let known =
            |words: &'static [&'static str], text: &str| words.iter().find(|word| **word == text).copied();
        let first = |words: &'static [&'static str]| words.first().copied().unwrap_or_default();
        let column = match params.filled("sort_column").map(|text| known(rules.columns, text)) {
            Some(Some(column)) => column,
            Some(None) if rules.refuses_columns => return Err(ApiError::invalid_value("sort_column")),
            _ => first(rules.columns),
        };
        let is_descending = match params.filled("sort_order") {
            None | Some("A") => false,
            Some("D") => true,
            Some(_) => return Err(ApiError::invalid_value("sort_order")),
        };
        // Live lists hold inactive records unless told otherwise.
        let filter = match params.filled("filter_by") {
            Some(text) => known(rules.filters, text).ok_or_else(|| ApiError::invalid_value("filter_by"))?,
            None => "Status.All",
        };
        let since = match params.filled(MODIFIED).filter(|_| rules.filters_by_time) {
            Some(text) => parse_bound(text).ok_or_else(|| ApiError::invalid_value(MODIFIED))?,
            None => i64::MIN,
        };
        let per_page = number("per_page", MAX_PER_PAGE)?.min(MAX_PER_PAGE);
        Ok(Self { page: number("page", 1)?, per_page, column, is_descending, since, filter })
    }

    /// The records of the page, and whether there are more behind it. Without a test every record passes.
    pub(crate) fn page<T: Record>(
        &self,
        table: &mut Table<T>,
        test: Option<&impl Fn(&T) -> bool>,
        key: impl Fn(&T, &str) -> SortKey,
    ) -> (Vec<T>, bool) {
        let numbers: Vec<u32> = if self.column == MODIFIED {
            self.window(table.since(self.since), table, test)
        } else {
            let order = table.order(self.column, |record| key(record, self.column)).to_vec();
            let since = self.since;
            let is_bounded = since > i64::MIN;
            let recent = order.into_iter().filter(|number| {
                !is_bounded || table.get(*number).is_some_and(|record| record.modified() >= since)
            });
            self.window(recent, table, test)
        };
        let has_more = numbers.len() > self.per_page;
        (numbers.into_iter().take(self.per_page).filter_map(|number| table.get(number)).collect(), has_more)
    }

    /// Numbers of the page and one more.
    fn window<T: Record>(
        &self,
        numbers: impl DoubleEndedIterator<Item = u32>,
        table: &Table<T>,
        test: Option<&impl Fn(&T) -> bool>,
    ) -> Vec<u32> {
        let skipped = (self.page - 1).saturating_mul(self.per_page);
        let passes =
            |number: &u32| test.is_none_or(|test| table.get(*number).is_some_and(|record| test(&record)));
        if self.is_descending {
            numbers.rev().filter(passes).skip(skipped).take(self.per_page + 1).collect()
        } else {
            numbers.filter(passes).skip(skipped).take(self.per_page + 1).collect()
        }
    }

    /// The body of the answer. There is no total: `has_more_page` is the only end.
    pub(crate) fn body(&self, rules: &ListRules, rows: Vec<Json>, has_more: bool) -> Json {
        let context = json!({
            "page": self.page, "per_page": self.per_page, "has_more_page": has_more,
            "report_name": rules.report_name, "applied_filter": self.filter, "custom_fields": [],
            "sort_column": self.column, "sort_order": if self.is_descending { "D" } else { "A" },
        });
        let mut body = json!({"code": 0, "message": "success"});
        if let Json::Object(body) = &mut body {
            body.insert(rules.rows.to_owned(), Json::Array(rows));
            body.insert("page_context".to_owned(), context);
        }
        body
    }
}

/// A test made of the parameters `<name>`, `<name>_startswith` and `<name>_contains`, case folded.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextTest {
    equals: Option<String>,
    starts: Option<String>,
    contains: Option<String>,
}

impl TextTest {
    pub(crate) fn read(params: &Params, name: &str) -> Self {
        let wanted = |name: &str| params.filled(name).map(str::to_lowercase);
        Self {
            equals: wanted(name),
            starts: wanted(&format!("{name}_startswith")),
            contains: wanted(&format!("{name}_contains")),
        }
    }

    /// A text that must occur.
    pub(crate) fn containing(params: &Params, name: &str) -> Self {
        Self { contains: params.filled(name).map(str::to_lowercase), ..Self::default() }
    }

    /// Whether every text passes.
    pub(crate) fn is_empty(&self) -> bool {
        self.equals.is_none() && self.starts.is_none() && self.contains.is_none()
    }

    pub(crate) fn accepts(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.equals.as_ref().is_none_or(|wanted| text == *wanted)
            && self.starts.as_ref().is_none_or(|wanted| text.starts_with(wanted))
            && self.contains.as_ref().is_none_or(|wanted| text.contains(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoho::item::Item;
    use crate::zoho::item_list::{INVENTORY, sort_key};

    fn query(text: &str) -> Result<ListQuery, ApiError> {
        ListQuery::read(&Params::read(text), &INVENTORY)
    }

    #[test]
    fn parameters_are_checked_and_a_large_page_is_cut_down() {
        assert_eq!(query("per_page=1000").unwrap().per_page, 200);
        assert_eq!(query("").unwrap().column, "name");
        for (text, code) in [
            ("page=0", 4),
            ("page=x", 4),
            ("sort_column=colour", 4),
            ("sort_order=up", 4),
            ("filter_by=Status.Gone", 2),
            ("last_modified_time=2026-10-09T13:20:00Z", 4),
            ("last_modified_time=2026-10-09T13:20:00+0000", 4),
        ] {
            let error = query(text).unwrap_err();
            assert_eq!((error.status, error.code), (400, code), "{text}");
        }
        query("last_modified_time=2026-10-09T13:20:00%2B0000").unwrap();
    }

    #[test]
    fn pages_partition_the_order_in_both_directions() {
        let mut table: Table<Item> = Table::new(450, false);
        let all = |order: &str, table: &mut Table<Item>| {
            let mut numbers = Vec::new();
            for page in 1.. {
                let query = query(&format!("sort_column={order}&page={page}")).unwrap();
                let (rows, has_more) = query.page(table, None::<&fn(&Item) -> bool>, sort_key);
                numbers.extend(rows.iter().map(|item| item.number));
                if !has_more {
                    return numbers;
                }
            }
            numbers
        };
        for column in ["name", "rate", "last_modified_time"] {
            let up = all(&format!("{column}&sort_order=A"), &mut table);
            let mut down = all(&format!("{column}&sort_order=D"), &mut table);
            assert_eq!(up.len(), 450);
            down.reverse();
            assert_eq!(up, down, "{column}");
        }
    }

    #[test]
    fn bound_is_inclusive_under_any_order() {
        let mut table: Table<Item> = Table::new(300, false);
        let bound = table.get(7).unwrap().modified;
        let expected = (0..300).filter(|number| table.get(*number).unwrap().modified >= bound).count();
        for column in ["name", "last_modified_time"] {
            let mut query = query(&format!("sort_column={column}")).unwrap();
            query.since = bound;
            query.per_page = 300;
            let (rows, _) = query.page(&mut table, None::<&fn(&Item) -> bool>, sort_key);
            assert_eq!(rows.len(), expected);
            assert!(rows.iter().any(|item| item.number == 7));
        }
    }
}
