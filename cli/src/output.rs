//! What a command says: text on standard output, or with `--json` one object there and the text on standard error.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use serde::Serialize;

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// For a command called with or without `--json`.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether somebody watches, so that a progress bar makes sense.
    pub(crate) fn is_watched(self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// One line of text.
    pub(crate) fn line(self, line: impl Display) {
        self.text(&format!("{line}\n"));
    }

    /// Text as it is. A closed pipe (`| head`) is nobody's fault: what cannot be said is dropped.
    pub(crate) fn text(self, text: &str) {
        drop(if self.json {
            std::io::stderr().write_all(text.as_bytes())
        } else {
            std::io::stdout().write_all(text.as_bytes())
        });
    }

    /// The object of `--json`; nothing without it.
    pub(crate) fn object(self, object: &impl Serialize) {
        if !self.json {
            return;
        }
        if let Ok(mut text) = serde_json::to_string_pretty(object) {
            text.push('\n');
            drop(std::io::stdout().write_all(text.as_bytes()));
        }
    }
}

/// A table as of [`table`], and a column of words, as long as they are, behind it.
pub(crate) fn table_with_words(rows: &[(Vec<String>, String)]) -> String {
    let cells: Vec<Vec<String>> = rows.iter().map(|(cells, _)| cells.clone()).collect();
    let line =
        |(line, (_, words)): (&str, &(_, String))| format!("{line}  {words}").trim_end().to_owned() + "\n";
    table(&cells).lines().zip(rows).map(line).collect()
}

/// A table with columns wide enough for their cells, numbers (all but the first column) to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell = if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            line.push_str(&cell);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
