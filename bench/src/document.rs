//! The pages that are made of the figures. Nothing in them is written by hand but the text around.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;

use crate::arguments::Part;
use crate::chart::chart;
use crate::results::{Figure, HEAD, Measured, Results, short};

const PAGE: &str = include_str!("performance.md");

/// README's table stands between these.
const MARKS: [&str; 2] = ["<!-- figures: written by the bench -->\n", "<!-- end of figures -->\n"];

/// Where figures and pages are kept.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) figures: PathBuf,
    pub(crate) page: PathBuf,
    chart: PathBuf,
    /// As the page names it.
    chart_link: &'static str,
    readme: Option<PathBuf>,
}

impl Place {
    /// This project's pages.
    pub(crate) fn project() -> Self {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let docs = top.join("docs");
        Self {
            figures: docs.join("performance.json"),
            page: docs.join("performance.md"),
            chart: docs.join("img/performance.svg"),
            chart_link: "img/performance.svg",
            readme: Some(top.join("README.md")),
        }
    }

    /// A folder of one's own.
    pub(crate) fn folder(folder: &Path) -> Self {
        Self {
            figures: folder.join("performance.json"),
            page: folder.join("performance.md"),
            chart: folder.join("performance.svg"),
            chart_link: "performance.svg",
            readme: None,
        }
    }

    /// Writes figures and pages.
    pub(crate) fn write(&self, results: &Results) {
        std::fs::create_dir_all(self.chart.parent().unwrap()).unwrap();
        let text = serde_json::to_string_pretty(results).unwrap() + "\n";
        std::fs::write(&self.figures, text).unwrap();
        for (path, text) in self.pages(results) {
            std::fs::write(path, text).unwrap();
        }
    }

    /// What is made of the figures: each file with its text.
    fn pages(&self, results: &Results) -> Vec<(&Path, String)> {
        let mut pages: Vec<(&Path, String)> =
            vec![(&self.page, page(results, self.chart_link)), (&self.chart, chart(results))];
        if let Some(path) = &self.readme {
            let text = std::fs::read_to_string(path).unwrap();
            let [(before, _), (_, after)] = MARKS.map(|mark| text.split_once(mark).unwrap());
            pages.push((path, [before, MARKS[0], &readme(results), MARKS[1], after].concat()));
        }
        pages
    }
}

fn page(results: &Results, chart_link: &str) -> String {
    PAGE.replace("{machine}", &machines(results))
        .replace("{goals}", &goals(results))
        .replace("{chart}", chart_link)
        .replace("{parts}", &parts(results))
        .replace("{walls}", &walls(results))
}

/// One table of all figures, for the end of a run.
pub(crate) fn summary(results: &Results) -> String {
    let mut text = format!("{}\n\n", machines(results));
    for part in &results.parts {
        text += &tables(part);
        text.push('\n');
    }
    text
}

/// On what it was measured; what parts differ in is told for each.
fn machines(results: &Results) -> String {
    let Some(first) = results.parts.first() else { return "Nothing has been measured yet.".to_owned() };
    let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in results.parts.iter().flat_map(|part| &part.machine) {
        let known = values.entry(name).or_default();
        if !known.contains(&value.as_str()) {
            known.push(value);
        }
    }
    let mut text = "| measured on | |\n|---|---|\n".to_owned();
    for (name, known) in values {
        // Times of parts: the first and the last say enough.
        let value = match (known.iter().min(), known.iter().max()) {
            (Some(first), Some(last)) if name == "date" && first != last => format!("{first} to {last}"),
            _ => known.join(", "),
        };
        writeln!(text, "| {name} | {value} |").unwrap();
    }
    if first.quick || results.parts.iter().any(|part| part.quick) {
        text += "\n**A tenth of the work (`--quick`): a first look, no figures to rely on.**\n";
    }
    text
}

/// Everything that has a bound.
fn goals(results: &Results) -> String {
    let mut text = HEAD.replacen("| what", "| part | what", 1).replacen("|---", "|---|---", 1);
    for part in &results.parts {
        for figure in part.figures.iter().filter(|figure| figure.goal.is_some()) {
            write!(text, "\n| {} {}", part.name, figure.row()).unwrap();
        }
    }
    text
}

fn parts(results: &Results) -> String {
    let mut text = String::new();
    for part in &results.parts {
        let known = Part::from_str(&part.name, false).ok().and_then(|part| part.to_possible_value());
        let about = known.as_ref().and_then(|value| value.get_help()).map(ToString::to_string);
        writeln!(text, "## {}\n\n{}.\n", part.name, about.unwrap_or_default().trim_end_matches('.')).unwrap();
        let (before, after) = &part.load;
        let seconds = short(part.seconds.round());
        // Parts may be of different runs, and machines.
        let of = |name: &str| part.machine.get(name).map_or("?", String::as_str);
        let (date, system, commit) = (of("date"), of("system"), of("catalog-sync"));
        writeln!(text, "{seconds} s, {date}; {system}, its load {before} before and {after} after; catalog-sync {commit}.\n")
            .unwrap();
        text += &tables(part);
        text.push('\n');
    }
    text.trim_end().to_owned()
}

fn tables(part: &Measured) -> String {
    let mut text = String::new();
    let mut section = None;
    for figure in &part.figures {
        if section != Some(&figure.section) {
            section = Some(&figure.section);
            write!(text, "**{}**\n\n{HEAD}\n", figure.section).unwrap();
        }
        text += &(figure.row() + "\n");
    }
    // A table ends with an empty line.
    let mut text = text.replace("\n**", "\n\n**");
    if let Some(error) = &part.error {
        writeln!(text, "\nIt failed: `{}`", error.replace(['`', '\n'], " ")).unwrap();
    }
    text
}

/// The figure of a part with this name, or the last one whose name has all of these words, in words.
fn told(results: &Results, part: &str, words: &[&str]) -> String {
    found(results, part, words).map_or_else(
        || "(not measured)".to_owned(),
        |figure| format!("{} {}", short(figure.value), figure.unit),
    )
}

fn found<'a>(results: &'a Results, part: &str, words: &[&str]) -> Option<&'a Figure> {
    let figures = &results.part(part)?.figures;
    let named = figures.iter().find(|figure| words == [figure.what.as_str()]);
    named.or_else(|| figures.iter().rev().find(|figure| words.iter().all(|word| figure.what.contains(word))))
}

fn walls(results: &Results) -> String {
    let told = |part: &str, words: &[&str]| told(results, part, words);
    format!(
        "* **Odoo to JSON files**: Odoo's reading, about 1,500 records a second and client. Ours is {} for {} on this machine, the \
         stand-in's part of the time included; the file takes {}.\n\
         * **Zoho to Odoo, fields**: Odoo's writing, about 100 new or 150 changed records a second and worker of Odoo. The queue's path \
         takes {}, a worker in a fleet that waits 50 ms for each call {}.\n\
         * **Zoho to Odoo, images**: Zoho's calls of the day, one for each image (a plan of 5,000 is 4,750 images a day); then Odoo's 10 a \
         second and worker. A worker's own part is {}; a bare loop of the same libraries, which guarantees nothing, takes {}.\n\
         * **Zoho to JSON files**: Zoho's lists, 200 records a call, at 80 calls a minute 267 records a second.\n\
         * **Any, nothing changed**: a call or two. A compare of everything is the source's reading; the producer's own pass over a \
         million takes {}.\n\
         * **Workers**: {} with sixteen on an Odoo without limits; a real one is full with as many clients as it has workers.\n\
         * **State**: SQLite {} to settle 500 records, Redis {}; a settled record takes {} of Redis' memory.",
        told("main-job", &["first: time"]),
        results
            .part("main-job")
            .and_then(|part| part.figures.last())
            .and_then(|figure| figure.what.split(',').next())
            .unwrap_or("nothing"),
        told("json", &["first load: records"]),
        told("queue", &["consume"]),
        told("scaling", &["1 worker"]),
        told("overhead", &["CPU"]),
        told("overhead", &["a bare loop: CPU"]),
        told("producer", &["nothing changed: records"]),
        told("scaling", &["16 workers"]),
        told("sqlite", &["settle 500 new: median"]),
        told("redis", &["settle 500 new: median"]),
        told("redis", &["a settled record"]),
    )
}

/// README's short table: each line the same work, and where it stands.
fn readme(results: &Results) -> String {
    if results.parts.is_empty() {
        return "Nothing has been measured yet.\n".to_owned();
    }
    let mut text = "| work | here |\n|---|--:|\n".to_owned();
    for (what, part, words) in [
        ("start: `status` of 100,000 records", "start", &["status"][..]),
        ("a worker is ready after", "start", &["worker"]),
        ("Odoo to JSON files, first run", "main-job", &["first: time"]),
        ("the same, nothing changed", "main-job", &["records, nothing changed: time"]),
        ("its memory in the first run", "main-job", &["first: memory"]),
        ("JSON file of a million records of 1 kB, first load", "json", &["first load: records"]),
        ("bytes written for it", "json", &["first load: written"]),
        ("bytes written for a change of 1 %", "json", &["1 % changed: written"]),
        ("fleet: wanted, published, confirmed", "queue", &["want, publish"]),
        ("fleet: consumed, claimed, recorded, acknowledged", "queue", &["consume"]),
        ("fleet: CPU of a worker, fields and image of 60 kB", "overhead", &["CPU"]),
        ("fleet: a million records enumerated and enqueued", "producer", &["first pass: records"]),
        ("memory of its producer meanwhile", "producer", &["first pass: memory"]),
        ("images of 7 MB into Odoo: memory", "images", &["7 MB", "first: memory"]),
    ] {
        if let Some(figure) = found(results, part, words) {
            let beside = figure.beside.as_ref().map(|beside| {
                let ratio = short(figure.value / beside.value);
                format!(" ({ratio} of {} {})", short(beside.value), beside.who)
            });
            let size = figure.what.split(" records,").next().filter(|_| figure.what.contains(" records,"));
            let size = size.map(|size| format!(", {size} records")).unwrap_or_default();
            let beside = beside.unwrap_or_default();
            writeln!(text, "| {what}{size} | {} {}{beside} |", short(figure.value), figure.unit).unwrap();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_what_the_committed_figures_make() {
        let place = Place::project();
        let results = Results::load(&place.figures);
        for (path, text) in place.pages(&results) {
            let is = std::fs::read_to_string(path).unwrap();
            assert!(is == text, "{} is old: cargo run --release -p bench -- docs", path.display());
        }
    }

    #[test]
    fn figures_and_failures_are_in_the_page() {
        let text = r#"{"parts": [{"name": "queue", "machine": {"cores": "2"}, "quick": true, "seconds": 3.2, "load": ["0", "1"],
            "error": "no `broker`", "figures": [
            {"section": "Path", "what": "want, publish, confirm", "value": 7000, "unit": "jobs/s",
             "beside": {"who": "bare", "value": 14000}, "goal": {"at-least": 0.7}}]}]}"#;
        let results: Results = serde_json::from_str(text).unwrap();
        let page = page(&results, "x.svg");
        assert!(page.contains("| queue | want, publish, confirm | 7,000 | jobs/s | 14,000 (bare) | 0.500 | ≥ 0.700: **missed** |"));
        assert!(
            page.contains("It failed: `no  broker `")
                && page.contains("| cores | 2 |")
                && page.contains("`--quick`")
        );
        assert!(!page.contains('{'), "{page}");
        assert!(readme(&results).contains("| 7,000 jobs/s (0.500 of 14,000 bare) |"));
        assert!(chart(&results).contains("queue: want, publish, confirm (jobs/s)"));
    }
}
