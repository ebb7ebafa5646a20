//! Figures: printed as they come, kept for the JSON file and the chart.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::machine;

/// One figure.
#[derive(Debug)]
struct Figure {
    part: &'static str,
    what: String,
    value: f64,
    unit: &'static str,
    /// The same work done otherwise in the same run: by whom, and its figure.
    beside: Option<(&'static str, f64)>,
}

/// All figures of a run.
#[derive(Debug)]
pub(crate) struct Report {
    machine: Vec<(&'static str, String)>,
    load_before: String,
    figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn new() -> Self {
        let machine = machine::facts();
        for (name, value) in &machine {
            println!("{name}: {value}");
        }
        Self { machine, load_before: machine::load(), figures: Vec::new() }
    }

    /// Begins the table of a part.
    pub(crate) fn part(title: &str) {
        println!("\n### {title} (load {})\n", machine::load());
        println!("| what | figure | unit | beside it | ratio |\n|---|--:|---|--:|--:|");
    }

    pub(crate) fn add(
        &mut self,
        part: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) {
        self.push(Figure { part, what: what.into(), value, unit, beside: None });
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
        self.push(Figure { part, what: what.into(), value, unit, beside: Some(other) });
    }

    fn push(&mut self, figure: Figure) {
        let Figure { what, value, unit, beside, .. } = &figure;
        let (other, ratio) = match beside {
            Some((who, other)) => (format!("{} ({who})", short(*other)), short(value / other)),
            None => (String::new(), String::new()),
        };
        println!("| {what} | {} | {unit} | {other} | {ratio} |", short(*value));
        self.figures.push(figure);
    }

    /// Writes what there is to write.
    pub(crate) fn end(&self, folder: Option<&Path>) {
        println!("\nload of the machine: {} at the start, {} at the end", self.load_before, machine::load());
        let Some(folder) = folder else { return };
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("bench.json"), format!("{:#}\n", self.object())).unwrap();
        std::fs::write(folder.join("bench.svg"), self.chart()).unwrap();
    }

    fn object(&self) -> Value {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|Figure { part, what, value, unit, beside }| {
                let mut figure = json!({ "part": part, "what": what, "value": value, "unit": unit });
                if let Some((who, other)) = beside {
                    figure["beside"] = json!({ "who": who, "value": other, "ratio": value / other });
                }
                figure
            })
            .collect();
        let machine: serde_json::Map<String, Value> =
            self.machine.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let load = json!({ "before": self.load_before, "after": machine::load() });
        json!({ "machine": machine, "load": load, "figures": figures })
    }

    /// Two bars for each figure that stands beside another.
    fn chart(&self) -> String {
        const ROW: usize = 62;
        const WIDTH: f64 = 520.0;
        let pairs: Vec<(&Figure, &(&str, f64))> =
            self.figures.iter().filter_map(|figure| Some((figure, figure.beside.as_ref()?))).collect();
        let height = 30 + pairs.len() * ROW;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"{height}\" font-family=\"sans-serif\" \
             font-size=\"13\">\n<rect width=\"860\" height=\"{height}\" fill=\"white\"/>\n"
        );
        for (row, (figure, (who, other))) in pairs.into_iter().enumerate() {
            let top = 20 + row * ROW;
            let most = figure.value.max(*other).max(f64::MIN_POSITIVE);
            let what = format!("{}: {} ({})", figure.part, figure.what, figure.unit);
            writeln!(svg, "<text x=\"10\" y=\"{}\">{}</text>", top + 4, escape(&what)).unwrap();
            for (at, who, value, colour) in
                [(0, "catalog-sync", figure.value, "#2a6fb0"), (1, *who, *other, "#b0b0b0")]
            {
                let y = top + 10 + at * 18;
                let width = value / most * WIDTH;
                writeln!(
                    svg,
                    "<rect x=\"10\" y=\"{y}\" width=\"{width:.1}\" height=\"15\" fill=\"{colour}\"/>\
                     <text x=\"{:.1}\" y=\"{}\">{} {}</text>",
                    width + 16.0,
                    y + 12,
                    short(value),
                    escape(who)
                )
                .unwrap();
            }
        }
        svg + "</svg>\n"
    }
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        value_abs if value_abs >= 100.0 => format!("{value:.0}"),
        value_abs if value_abs >= 10.0 => format!("{value:.1}"),
        value_abs if value_abs >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
