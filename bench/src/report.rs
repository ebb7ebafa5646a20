//! Figures of one part: printed as they come, and kept.

use crate::machine;
use crate::results::{Beside, Figure, Goal, HEAD};

pub(crate) use crate::results::median;

/// All figures of a part.
#[derive(Debug, Default)]
pub(crate) struct Report {
    section: String,
    figures: Vec<Figure>,
}

impl Report {
    /// Begins a table.
    pub(crate) fn part(&mut self, title: &str) {
        println!("\n### {title} (load {})\n\n{HEAD}", machine::load());
        title.clone_into(&mut self.section);
    }

    pub(crate) fn add(
        &mut self,
        part: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) {
        self.push(part, what.into(), value, unit, None, None);
    }

    /// A figure that has a bound.
    pub(crate) fn aim(
        &mut self,
        part: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        goal: Goal,
    ) {
        self.push(part, what.into(), value, unit, None, Some(goal));
    }

    /// A figure with that of another way to do the same.
    pub(crate) fn beside(
        &mut self,
        part: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        other: (&'static str, f64),
    ) {
        self.push(part, what.into(), value, unit, Some(other), None);
    }

    /// A figure whose ratio to another has a bound.
    pub(crate) fn aim_beside(
        &mut self,
        part: &'static str,
        what: impl Into<String>,
        (value, unit): (f64, &'static str),
        other: (&'static str, f64),
        goal: Goal,
    ) {
        self.push(part, what.into(), value, unit, Some(other), Some(goal));
    }

    fn push(
        &mut self,
        part: &'static str,
        what: String,
        value: f64,
        unit: &'static str,
        beside: Option<(&'static str, f64)>,
        goal: Option<Goal>,
    ) {
        let section = if self.section.is_empty() { part } else { &self.section };
        let figure = Figure {
            section: section.to_owned(),
            what,
            value,
            unit: unit.to_owned(),
            beside: beside.map(|(who, value)| Beside { who: who.to_owned(), value }),
            goal,
        };
        println!("{}", figure.row());
        self.figures.push(figure);
    }

    /// What was measured so far.
    pub(crate) fn figures(&self) -> &[Figure] {
        &self.figures
    }
}
