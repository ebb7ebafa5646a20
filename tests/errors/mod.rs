//! `docs/errors.md`: every failure that the program can tell, made from its sources, and what must be true of each.

mod failures;
mod sentence;
mod source;

use std::path::Path;

use shared::failure::{Class, Reason};

use failures::{Told, failures};
use source::Source;

/// What the program is made from.
const MEMBERS: &[&str] = &["shared", "producer", "worker", "cli"];

/// Where a failure comes from, by the folders of its code; the first that fits.
const PLACES: &[(&str, &[&str])] = &[
    ("The configuration and its secrets", &["shared/src/config/", "shared/src/systems.rs"]),
    ("Odoo", &["shared/src/odoo/", "worker/src/sink/odoo/"]),
    ("Zoho", &["shared/src/zoho/"]),
    ("JSON files", &["worker/src/sink/json/"]),
    ("Images", &["worker/src/image/"]),
    ("Connections", &["shared/src/http/"]),
    ("The state in SQLite", &["shared/src/state/sqlite/"]),
    ("The state in Redis", &["shared/src/state/"]),
    ("The queue", &["shared/src/queue/"]),
    ("Mapping a record", &["shared/src/mapping", "shared/src/job.rs", "worker/src/unpack.rs"]),
    ("Taking over from the old scripts", &["cli/src/import/"]),
    ("Commands", &["cli/src/"]),
    ("Reading the source, schedule and page", &["producer/src/"]),
    ("Working on jobs", &["worker/src/"]),
    ("All processes", &["shared/src/"]),
];

/// What a person does where a sentence gives no advice of its own, by its class.
fn usual(class: &str) -> Option<&'static str> {
    match class {
        "transient" => Some("nothing: it is tried again by itself"),
        "throttled" => Some("nothing: it goes on when the wait is over"),
        "interrupted" => Some("nothing: the next run goes on from here"),
        "newer" => Some("update the processes that are still of the older version"),
        _ => None,
    }
}

fn page(told: &[Told], source: &Source) -> String {
    let mut page = String::from(
        "# Errors\n\nEverything that catalog-sync can say when something fails: on the command line, in the log, in `status`, on the \
         page and in dead letters. This page is made from the code (`tests/errors/`); a test keeps it true, and refuses a sentence \
         that says nothing of what to do. What stands in ‹brackets›, and `…`, is filled in when it happens. `--verbose` and the log add the causes.\n\n\
         ## Classes\n\n| class | what happens | who acts |\n|---|---|---|\n",
    );
    for class in CLASSES {
        let (happens, acts) = class_in_words(*class);
        page += &format!("| {} | {happens} | {acts} |\n", class.label());
    }
    page += "\n## Reasons\n\nThe label under which a failure is counted (`catalog_failures_total`), listed (`dead list`) and redriven \
             (`dead redrive --reason`). Exit code where it stops a command: 2 where a person has to change something, else 3.\n\n\
             | reason | exit code |\n|---|--:|\n";
    for reason in Reason::ALL {
        page += &format!("| `{}` | {} |\n", reason.label(), if reason.is_configuration() { 2 } else { 3 });
    }
    for (at, (title, _)) in PLACES.iter().enumerate() {
        let mut rows: Vec<String> = told
            .iter()
            .filter(|failure| place_of(&failure.file) == at)
            .flat_map(|failure| {
                let advice = if failure.advice.is_empty() {
                    usual(&failure.class).unwrap_or_default().to_owned()
                } else {
                    failure.advice.join(" *or* ")
                };
                failure.says.iter().filter(|says| *says != "…").map(move |says| {
                    let label = [failure.class.as_str(), failure.reason.as_str()].join(", ");
                    format!("| {} | {label} | {} |\n", cell(says), cell(&advice))
                })
            })
            .collect();
        rows.sort_by_key(|row| row.trim_start_matches(['|', ' ', '‹', '…', '\'', '`']).to_lowercase());
        rows.dedup();
        if !rows.is_empty() {
            page += &format!("\n## {title}\n\n| it says | class, reason | what to do |\n|---|---|---|\n");
            page += &rows.concat();
        }
    }
    page +=
        "\n## Causes\n\nThese stand behind the sentences above, or in a `…` of them.\n\n| it says |\n|---|\n";
    let mut causes: Vec<&str> =
        source.causes.iter().map(|(_, text)| text.as_str()).filter(|text| text.contains(' ')).collect();
    causes.sort_unstable();
    causes.dedup();
    for cause in causes {
        page += &format!("| {} |\n", cell(&placeholders(cause)));
    }
    page
}

const CLASSES: &[Class] = &[
    Class::Transient,
    Class::Throttled,
    Class::Permanent,
    Class::Poison,
    Class::Systemic,
    Class::Interrupted,
    Class::Newer,
];

fn class_in_words(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Transient => {
            ("tried again, after growing waits; spends an attempt", "nobody, unless it goes on for long")
        }
        Class::Throttled => ("waits as it was told; spends no attempt", "nobody"),
        Class::Permanent => (
            "the record is a dead letter, its neighbours go on",
            "whoever keeps the record; then `dead redrive`",
        ),
        Class::Poison => (
            "the record is a dead letter: it broke what worked on it",
            "whoever runs catalog-sync; then `dead redrive`",
        ),
        Class::Systemic => (
            "the pipeline (or its images) stops, nothing is given up; a fleet probes by itself",
            "whoever runs the system that it names",
        ),
        Class::Interrupted => ("what is in hand is given back", "nobody"),
        Class::Newer => ("kept for a newer worker", "whoever updates"),
    }
}

fn place_of(file: &str) -> usize {
    PLACES.iter().position(|(_, folders)| folders.iter().any(|folder| file.starts_with(folder))).unwrap()
}

/// As a cell of a table holds it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

/// The parts of a cause's format that are only known later.
fn placeholders(format: &str) -> String {
    let mut text = String::new();
    for (at, part) in format.split('{').enumerate() {
        match part.split_once('}') {
            Some((inside, after)) if at > 0 => {
                let name = inside.split(':').next().unwrap();
                let unnamed = name.is_empty() || name.starts_with(|letter: char| letter.is_ascii_digit());
                text += &if unnamed { "…".to_owned() } else { format!("‹{name}›") };
                text += after;
            }
            _ => text += part,
        }
    }
    text
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn the_page_of_errors_is_what_the_code_says() {
    let source = Source::read(top(), MEMBERS);
    let page = page(&failures(&source), &source);
    let path = top().join("docs/errors.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    if written != page && std::env::var_os("CATALOG_SYNC_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
        return;
    }
    let line = written.lines().zip(page.lines()).find(|(written, page)| written != page);
    assert!(
        written == page,
        "run this test with CATALOG_SYNC_WRITE_DOCS=1 to write docs/errors.md anew; first difference: {line:?}"
    );
}

#[test]
fn every_failure_says_what_happened_and_what_to_do() {
    let source = Source::read(top(), MEMBERS);
    let told = failures(&source);
    assert!(told.len() > 250, "{}", told.len());
    let mut bad = Vec::new();
    for failure in &told {
        let silent = failure.advice.is_empty() && usual(&failure.class).is_none();
        let stops = failure
            .says
            .iter()
            .chain(&failure.advice)
            .any(|text| text.ends_with('.') && !text.ends_with("…"));
        let loud = failure
            .says
            .iter()
            .any(|text| text.contains('!') || text.starts_with("error") || text.starts_with("failed"));
        if silent || stops || loud || failure.says.is_empty() {
            bad.push(format!(
                "{} {}: {:?} {:?} {:?}",
                failure.file, failure.function, failure.class, failure.says, failure.advice
            ));
        }
    }
    assert!(bad.is_empty(), "{} of {}:\n{}", bad.len(), told.len(), bad.join("\n"));
}
