//! What came out of a run, as it is kept in JSON: the source of the tables, the chart and the pages.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// All that is known, part by part; each may be of another run.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) parts: Vec<Measured>,
}

/// One part that was run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Its name on the command line.
    pub(crate) name: String,
    /// Where and when: processor, cores, versions, commit.
    pub(crate) machine: BTreeMap<String, String>,
    /// With a tenth of the work.
    pub(crate) quick: bool,
    /// From its start to its end.
    pub(crate) seconds: f64,
    /// Runnable threads over the last minute, before and after it.
    pub(crate) load: (String, String),
    /// Why it did not end, or ended early.
    pub(crate) error: Option<String>,
    pub(crate) figures: Vec<Figure>,
}

/// One figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// What the figures around it are of.
    pub(crate) section: String,
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    /// The same work done otherwise in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) beside: Option<Beside>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<Goal>,
}

/// Another way to do the same, and its figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Beside {
    pub(crate) who: String,
    pub(crate) value: f64,
}

/// What is aimed at: a bound of the figure, or of its ratio to the one beside it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Results {
    /// What a file has; nothing where there is none.
    pub(crate) fn load(file: &Path) -> Self {
        match std::fs::read_to_string(file) {
            Ok(text) => {
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
            }
            Err(_) => Self::default(),
        }
    }

    /// Takes the place of an earlier run of the same part. One that brought no figure leaves those of the earlier.
    pub(crate) fn put(&mut self, measured: Measured) {
        match self.parts.iter_mut().find(|part| part.name == measured.name) {
            Some(part) if measured.figures.is_empty() => part.error = measured.error,
            Some(part) => *part = measured,
            None => self.parts.push(measured),
        }
    }

    pub(crate) fn part(&self, name: &str) -> Option<&Measured> {
        self.parts.iter().find(|part| part.name == name)
    }
}

impl Figure {
    /// The figure in proportion to that beside it.
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.beside.as_ref().map(|beside| self.value / beside.value)
    }

    /// A row of a table: what, figure, unit, beside it, ratio, goal.
    pub(crate) fn row(&self) -> String {
        let (beside, ratio) = match &self.beside {
            Some(Beside { who, value }) => (format!("{} ({who})", short(*value)), short(self.value / value)),
            None => (String::new(), String::new()),
        };
        let goal = self.goal.map_or_else(String::new, |goal| goal.words(self.ratio().unwrap_or(self.value)));
        format!("| {} | {} | {} | {beside} | {ratio} | {goal} |", self.what, short(self.value), self.unit)
    }
}

/// The head of a table of [`Figure::row`]s.
pub(crate) const HEAD: &str =
    "| what | figure | unit | beside it | ratio | goal |\n|---|--:|---|--:|--:|---|";

impl Goal {
    fn words(self, value: f64) -> String {
        let (bound, is_met) = match self {
            Self::AtMost(bound) => (format!("≤ {}", short(bound)), value <= bound),
            Self::AtLeast(bound) => (format!("≥ {}", short(bound)), value >= bound),
        };
        format!("{bound}: {}", if is_met { "met" } else { "**missed**" })
    }
}

/// Three digits that matter, and commas between thousands.
pub(crate) fn short(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    let digits = text.split('.').next().unwrap_or_default().trim_start_matches('-').len();
    let mut with_commas = String::new();
    for (at, digit) in text.trim_start_matches('-').chars().enumerate() {
        if at > 0 && at < digits && (digits - at).is_multiple_of(3) {
            with_commas.push(',');
        }
        with_commas.push(digit);
    }
    if value < 0.0 { format!("-{with_commas}") } else { with_commas }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_commas() {
        let texts = [0.0, 0.1234, 1.234, 12.34, 3.0, 123.4, 1_234_567.8, -1234.0].map(short);
        assert_eq!(texts, ["0", "0.123", "1.23", "12.3", "3", "123", "1,234,568", "-1,234"]);
    }

    #[test]
    fn a_goal_is_one_of_the_ratio_where_there_is_one() {
        let beside = Some(Beside { who: "bare".to_owned(), value: 10.0 });
        let figure = |value, beside, goal| Figure {
            section: String::new(),
            what: "jobs".to_owned(),
            value,
            unit: "per s".to_owned(),
            beside,
            goal: Some(goal),
        };
        let row = figure(7.0, beside.clone(), Goal::AtLeast(0.7)).row();
        assert_eq!(row, "| jobs | 7 | per s | 10 (bare) | 0.700 | ≥ 0.700: met |");
        assert!(figure(6.9, beside, Goal::AtLeast(0.7)).row().ends_with("**missed** |"));
        assert!(figure(65.0, None, Goal::AtMost(64.0)).row().ends_with("≤ 64: **missed** |"));
    }

    #[test]
    fn a_part_that_failed_at_once_leaves_the_figures_of_its_last_run() {
        let figure = Figure {
            section: String::new(),
            what: String::new(),
            value: 1.0,
            unit: String::new(),
            beside: None,
            goal: None,
        };
        let part = |error: Option<&str>, figures| Measured {
            name: "queue".to_owned(),
            machine: BTreeMap::new(),
            quick: false,
            seconds: 1.0,
            load: Default::default(),
            error: error.map(str::to_owned),
            figures,
        };
        let mut results = Results::default();
        results.put(part(None, vec![figure.clone()]));
        results.put(part(Some("no broker"), Vec::new()));
        let kept = results.part("queue").unwrap();
        assert_eq!((kept.figures.len(), kept.error.as_deref()), (1, Some("no broker")));
        results.put(part(None, vec![figure.clone(), figure]));
        assert_eq!(results.part("queue").unwrap().figures.len(), 2);
        assert_eq!(results.parts.len(), 1);
    }
}
