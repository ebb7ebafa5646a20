//! Where a walk through a list is, and where it goes on. Pure.
//!
//! Page numbers drift while a list is read: an edited row jumps to its end, and the row after the page moves up unseen.
//! So a list that can be asked for by time is walked by time: ascending, each page from the last row's time on
//! (inclusive). A bulk import stamps more rows with one second than a page holds; only inside such a second are pages
//! counted.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::kind::Api;
use super::request::Order;
use super::row::Row;
use super::time;
use crate::failure::{Failure, Reason};

/// The place of the next page. Its text form survives a crash in the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// By the time of change.
    Changed {
        /// Rows from this time on, as Zoho writes it; `None` for all.
        since: Option<String>,
        /// The page from there on, from 1.
        page: u32,
        /// Ids of exactly that time which were read already.
        seen: Vec<String>,
    },
    /// By name, everything.
    Scan {
        /// The page, from 1.
        page: u32,
    },
}

/// Why a walk by time cannot be trusted and everything is read instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// A row is older than what was asked for: Zoho ignores filters that it does not support, without an error.
    FilterIgnored,
    /// The rows are not in the order that was asked for.
    NotSorted,
    /// A row does not tell its time.
    NoTime,
}

/// Rows of a list and how it goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The rows that were not read before.
    pub rows: Vec<Row>,
    /// Where the walk stands behind them: nothing of them is read again from there, also where they were the last.
    pub after: Position,
    /// There were no more rows behind them.
    pub is_last: bool,
    /// Set where this page was thrown away and a scan begins instead.
    pub distrust: Option<Distrust>,
}

impl Page {
    /// Where the next page begins; `None` after the last.
    pub fn next(&self) -> Option<&Position> {
        (!self.is_last).then_some(&self.after)
    }
}

impl Position {
    /// The first page of a walk through `api`: from `since` on where the API can be asked by time, else everything.
    pub fn first(api: Api, since: Option<Timestamp>) -> Self {
        match api {
            Api::Inventory => Self::Changed { since: since.map(time::format), page: 1, seen: Vec::new() },
            Api::Books => Self::Scan { page: 1 },
        }
    }

    pub(super) fn order(&self) -> Order<'_> {
        match self {
            Self::Changed { since, .. } => Order::Changed { since: since.as_deref() },
            Self::Scan { .. } => Order::Name,
        }
    }

    pub(super) fn number(&self) -> u32 {
        match self {
            Self::Changed { page, .. } | Self::Scan { page } => *page,
        }
    }

    /// The page that came for this position; `has_more` says whether Zoho has further rows.
    ///
    /// # Errors
    /// A transient failure where Zoho says that there is more and sends nothing.
    pub fn turn(&self, rows: Vec<Row>, has_more: bool) -> Result<Page, Failure> {
        if rows.is_empty() && has_more {
            return Err(Failure::transient(
                Reason::Protocol,
                "Zoho says that a list goes on and sends no rows of it",
            ));
        }
        match self {
            Self::Scan { page } => {
                let after = Self::Scan { page: page.saturating_add(1) };
                Ok(Page { rows, after, is_last: !has_more, distrust: None })
            }
            Self::Changed { since, page, seen } => {
                let bound = since.as_deref().and_then(time::parse);
                Ok(match times(&rows, bound) {
                    Ok(times) => Page {
                        after: self.behind(&rows, &times, since.as_deref(), *page),
                        rows: unread(rows, &times, bound, seen),
                        is_last: !has_more,
                        distrust: None,
                    },
                    Err(distrust) => Page {
                        rows: Vec::new(),
                        after: Self::Scan { page: 1 },
                        is_last: false,
                        distrust: Some(distrust),
                    },
                })
            }
        }
    }

    /// Where a walk by time stands behind these rows: at the last row's time, or on the next page of a second that fills
    /// more than one. Inside such a second an edit can move a row up unseen; the daily full compare finds it.
    fn behind(&self, rows: &[Row], times: &[Timestamp], since: Option<&str>, page: u32) -> Self {
        match (rows.last().and_then(Row::last_modified), times.last(), since) {
            (_, Some(last), Some(since)) if Some(*last) == time::parse(since) => Self::Changed {
                since: Some(since.to_owned()),
                page: page.saturating_add(1),
                seen: Vec::new(),
            },
            (Some(text), Some(last), _) => {
                Self::Changed { since: Some(text.to_owned()), page: 1, seen: ids_at(rows, times, *last) }
            }
            _ => self.clone(),
        }
    }
}

/// Without the rows of exactly the bound that the page before ended with.
fn unread(rows: Vec<Row>, times: &[Timestamp], bound: Option<Timestamp>, seen: &[String]) -> Vec<Row> {
    rows.into_iter()
        .zip(times)
        .filter(|(row, time)| Some(**time) != bound || !seen.contains(&row.id()))
        .map(|(row, _)| row)
        .collect()
}

/// The times of rows that are where they should be: from `bound` on, ascending.
fn times(rows: &[Row], bound: Option<Timestamp>) -> Result<Vec<Timestamp>, Distrust> {
    let times: Option<Vec<Timestamp>> = rows.iter().map(Row::last_modified_time).collect();
    let times = times.ok_or(Distrust::NoTime)?;
    if times.iter().any(|time| Some(*time) < bound) {
        return Err(Distrust::FilterIgnored);
    }
    if times.is_sorted() { Ok(times) } else { Err(Distrust::NotSorted) }
}

fn ids_at(rows: &[Row], times: &[Timestamp], at: Timestamp) -> Vec<String> {
    rows.iter().zip(times).filter(|(_, time)| **time == at).map(|(row, _)| row.id()).collect()
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Position {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests;
