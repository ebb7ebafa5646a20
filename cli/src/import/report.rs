//! What an import did, or would do, in words and as an object.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use shared::config::Config;

use super::Writing;
use super::find::{Found, Kind};
use super::legacy::{Legacy, Records};
use super::products::{Refused, Takeover};
use crate::arguments::Import;

/// Records that are named in the text; `--json` names all.
const SHOWN: usize = 20;

pub(super) struct Report<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    pub(super) writing: Writing,
    pub(super) import: &'a Import,
    pub(super) found: &'a Found,
    pub(super) legacy: &'a Legacy,
    pub(super) config: &'a Config,
    pub(super) takeover: Option<&'a Takeover>,
}

#[derive(Serialize)]
pub(super) struct Object<'a> {
    dry_run: bool,
    configuration: &'a Path,
    written: bool,
    files: &'a BTreeMap<Kind, PathBuf>,
    set: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    products: Option<Products<'a>>,
    json_files: &'a [Records],
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Products<'a> {
    pipeline: &'a str,
    bound: usize,
    bound_before: usize,
    images_kept: usize,
    images_other: usize,
    refused: &'a [Refused],
}

impl<'a> Report<'a> {
    pub(super) fn object(&self) -> Object<'a> {
        Object {
            dry_run: self.import.dry_run,
            configuration: self.path,
            written: self.writing != Writing::Nothing && !self.import.dry_run,
            files: &self.found.files,
            set: self.variables(),
            products: self.takeover.map(|takeover| Products {
                pipeline: takeover.pipeline().name.as_str(),
                bound: takeover.found.len(),
                bound_before: takeover.bound,
                images_kept: takeover.kept_images(),
                images_other: takeover.other_images,
                refused: &takeover.refused,
            }),
            json_files: &self.legacy.files,
            notes: self.notes(),
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        for path in self.found.files.values() {
            line(format!("read: {}", path.display()));
        }
        let shown = self.path.display();
        match (self.writing, self.import.dry_run) {
            (Writing::Nothing, _) => line(format!("{shown} stays as it is")),
            (_, true) => line(format!("{shown} would be written:\n\n{}", self.text)),
            (_, false) => line(format!("{shown} was written")),
        }
        if let Some(takeover) = self.takeover {
            let (pipeline, bound) = (&takeover.pipeline().name, takeover.found.len());
            let would = if self.import.dry_run { "would be bound" } else { "bound" };
            line(format!(
                "{pipeline}: {bound} products {would}, {} were bound before, {} refused",
                takeover.bound,
                takeover.refused.len()
            ));
            for refused in takeover.refused.iter().take(SHOWN) {
                line(format!("  refused: {refused}"));
            }
            if takeover.refused.len() > SHOWN {
                line(format!("  ... and {} more, which --json names", takeover.refused.len() - SHOWN));
            }
            line(format!(
                "{pipeline}: {} images are known to be in Odoo, {} are fetched and compared by the first sync",
                takeover.kept_images(),
                takeover.other_images
            ));
        }
        for file in &self.legacy.files {
            line(format!("{}: {} records, taken over by the first sync", file.path.display(), file.count));
        }
        for note in self.notes() {
            line(format!("note: {note}"));
        }
        let variables = self.variables();
        if !variables.is_empty() {
            line(format!("set in the environment before the first sync: {}", variables.join(", ")));
        }
        let last = if self.import.dry_run {
            "nothing was changed (--dry-run)"
        } else {
            "next: `catalog-sync check`, then `catalog-sync sync`"
        };
        line(last.to_owned());
        text
    }

    /// Names of secrets that a sync needs and that are not set.
    fn variables(&self) -> Vec<String> {
        let is_set = |name: &str| {
            std::env::var_os(name).is_some() || std::env::var_os(format!("{name}_FILE")).is_some()
        };
        let upper = |name: &str| name.to_uppercase().replace('-', "_");
        let mut missing = Vec::new();
        for name in self.config.odoo.keys().map(|name| upper(name)) {
            let [password, key] =
                ["PASSWORD", "API_KEY"].map(|secret| format!("CATALOG_SYNC_ODOO_{name}_{secret}"));
            if !is_set(&password) && !is_set(&key) {
                missing.push(format!("{password} or {key}"));
            }
        }
        for name in self.config.zoho.keys().map(|name| upper(name)) {
            let names =
                ["CLIENT_SECRET", "REFRESH_TOKEN"].map(|secret| format!("CATALOG_SYNC_ZOHO_{name}_{secret}"));
            missing.extend(names.into_iter().filter(|name| !is_set(name)));
        }
        missing
    }

    /// What cannot be carried over, and what is other than before.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.legacy.zoho.is_some() {
            notes.push(
                "client_secret and refresh_token stay in zoho_config.json: put them into the environment, or into \
                 files that CATALOG_SYNC_ZOHO_SHOP_CLIENT_SECRET_FILE and ..._REFRESH_TOKEN_FILE name"
                    .to_owned(),
            );
        }
        if self.takeover.is_some() {
            notes.push(
                "the old checksums are of another form: the first sync compares every item with what Odoo really has, \
                 and writes what differs"
                    .to_owned(),
            );
        }
        if self.legacy.mapping.as_ref().is_some_and(|mapping| !mapping.default_values.is_empty()) {
            notes.push(
                "default_values are constants of the mapping now: they are written wherever Odoo has something else"
                    .to_owned(),
            );
        }
        if let Some(time) = &self.legacy.last_sync {
            notes.push(format!(
                "the old files were written last at {time} (UTC): the first sync reads everything all the same, as the old \
                 filter could miss what was committed late; records that did not change stay as they are"
            ));
        }
        if self.legacy.schedule.as_ref().is_some_and(|schedule| schedule.enabled == Some(false)) {
            notes.push(
                "the old schedule was switched off, and so is ours: `catalog-sync schedule enable`"
                    .to_owned(),
            );
        }
        notes
    }
}
