//! `import`: takes over from the scripts that catalog-sync replaces.
//!
//! Everything is read and looked at first, in the old files, in the source and in Odoo; what is wrong ends the import there, with
//! nothing changed. Then the configuration is written, the records are bound in Odoo, and the state is told of images that need
//! not be fetched. Each step may be repeated, so a killed import is run again.

mod find;
mod legacy;
mod products;
mod report;
mod text;
mod time;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use producer::schedule::Schedule;
use secrecy::ExposeSecret;
use shared::config::Config;
use shared::failure::{Failure, Reason};

use crate::arguments::Import;
use crate::exit::Exit;
use crate::output::Output;
use crate::state::open_state;
use find::Found;
use legacy::Legacy;
use products::Takeover;
use report::Report;

/// What becomes of the configuration's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// It is there as it would be written, or kept as it is.
    Nothing,
    /// There is none.
    New,
    /// There is one, which is written over.
    Over,
}

pub(crate) async fn run(path: &Path, import: &Import) -> Result<Exit, Failure> {
    let output = Output::new(import.json);
    let found = Found::look(&import.from)?;
    let legacy = Legacy::read(&found)?;
    let (text, writing) = configuration(path, import, &legacy)?;
    let config = Arc::new(Config::of_text(&text, path, &|name| environment(name, &legacy))?);
    let mut takeover = match &legacy.products {
        Some(products) => {
            Some(Takeover::look(&config, legacy.zoho.as_ref(), products, found.images.as_deref()).await?)
        }
        None => None,
    };
    if !import.dry_run {
        let state = open_state(&config).await?;
        // A sync that is under way would bind records, too.
        let _lock = if config.fleet.is_none() { Some(state.lock_enumeration().await?) } else { None };
        write(path, &text, writing)?;
        if let Some(takeover) = &mut takeover {
            takeover.carry_out(&state).await?;
        }
        if legacy.schedule.as_ref().is_some_and(|schedule| schedule.enabled == Some(false)) {
            for pipeline in &config.pipelines {
                Schedule::of(&state, pipeline).disable("the old schedule was switched off").await?;
            }
        }
    }
    let report = Report {
        path,
        text: &text,
        writing,
        import,
        found: &found,
        legacy: &legacy,
        config: &config,
        takeover: takeover.as_ref(),
    };
    output.text(&report.text());
    output.object(&report.object());
    let is_refused = takeover.is_some_and(|takeover| !takeover.refused.is_empty());
    Ok(if is_refused { Exit::RecordsFailed } else { Exit::Done })
}

/// The text of the configuration, and whether it is to be written.
fn configuration(path: &Path, import: &Import, legacy: &Legacy) -> Result<(String, Writing), Failure> {
    let there = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Failure::configuration(format!("cannot read the configuration {}", path.display()))
                .advise("check the path and its permissions")
                .because(error));
        }
    };
    match (there, import.keep) {
        (Some(text), true) => Ok((text, Writing::Nothing)),
        (None, true) => Err(Failure::configuration(format!("there is no {} to keep", path.display()))
            .advise("leave --keep out, and one is written")),
        (there, false) => {
            let text = text::configuration(import, legacy)?;
            match there {
                None => Ok((text, Writing::New)),
                Some(there) if there == text => Ok((text, Writing::Nothing)),
                Some(_) if import.force => Ok((text, Writing::Over)),
                Some(_) => Err(Failure::configuration(format!(
                    "{} is there already, and is not what would be written",
                    path.display()
                ))
                .advise("--keep takes records over by it as it is, --force writes over it, --config names another file")),
            }
        }
    }
}

/// The environment; the old system's own secrets of Zoho stand in for those that are not set, for this one look.
fn environment(name: &str, legacy: &Legacy) -> Option<String> {
    let old = || {
        let zoho = legacy.zoho.as_ref().filter(|_| name.starts_with("CATALOG_SYNC_ZOHO_"))?;
        let secret = match name {
            name if name.ends_with("_CLIENT_SECRET") => &zoho.client_secret,
            name if name.ends_with("_REFRESH_TOKEN") => &zoho.refresh_token,
            _ => return None,
        };
        let is_in_file = std::env::var_os(format!("{name}_FILE")).is_some();
        (!is_in_file).then(|| secret.expose_secret().to_owned())
    };
    std::env::var(name).ok().or_else(old)
}

/// Whole or not at all: the file is written beside its place and moved there.
fn write(path: &Path, text: &str, writing: Writing) -> Result<(), Failure> {
    let failed = |error| {
        Failure::systemic(Reason::File, format!("cannot write the configuration {}", path.display()))
            .advise("check the folder and its permissions")
            .because(error)
    };
    if writing == Writing::Nothing {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    let moved = if writing == Writing::New { file.persist_noclobber(path) } else { file.persist(path) };
    moved.map(drop).map_err(|error| failed(error.error))
}
