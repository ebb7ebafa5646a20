//! Which of the old systems' files are there. They are known by their names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use shared::failure::Failure;

/// The folder of images that the old system kept.
const IMAGES: &str = "product_images";

/// Where an installation of the old systems keeps its files, seen from its top.
const FOLDERS: [&str; 4] = ["", "config", "data", "odoo_database"];

/// The files that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    ZohoConfig,
    FieldMapping,
    SyncSchedule,
    ProductSync,
    LastSync,
    Customers,
    Products,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::ZohoConfig,
        Self::FieldMapping,
        Self::SyncSchedule,
        Self::ProductSync,
        Self::LastSync,
        Self::Customers,
        Self::Products,
    ];

    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::ZohoConfig => "zoho_config.json",
            Self::FieldMapping => "field_mapping.json",
            Self::SyncSchedule => "sync_schedule.json",
            Self::ProductSync => "product_sync_data.json",
            Self::LastSync => "last_sync.json",
            Self::Customers => "odoo_customers.json",
            Self::Products => "odoo_products.json",
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: BTreeMap<Kind, PathBuf>,
    pub(super) images: Option<PathBuf>,
}

impl Found {
    /// Looks at files, and into folders: at their top and in `config`, `data` and `odoo_database`.
    pub(super) fn look(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut found = Self::default();
        for path in paths {
            let whole = path.canonicalize().map_err(|error| {
                Failure::configuration(format!("cannot read {}", path.display()))
                    .advise("name the folder of the old system, or its files")
                    .because(error)
            })?;
            let before = found.files.len();
            if whole.is_dir() {
                for folder in FOLDERS {
                    found.look_into(&whole.join(folder))?;
                }
            } else if let Some(kind) = Kind::ALL.into_iter().find(|kind| whole.ends_with(kind.file_name())) {
                found.add(kind, whole.clone())?;
                if kind == Kind::ProductSync {
                    found.images = found.images.or_else(|| Some(whole.with_file_name(IMAGES)));
                }
            }
            if found.files.len() == before {
                return Err(nothing(path));
            }
        }
        found.images = found.images.filter(|folder| folder.is_dir());
        Ok(found)
    }

    fn look_into(&mut self, folder: &Path) -> Result<(), Failure> {
        for kind in Kind::ALL {
            let path = folder.join(kind.file_name());
            if path.is_file() {
                self.add(kind, path)?;
            }
        }
        let images = folder.join(IMAGES);
        if images.is_dir() {
            self.images = Some(images);
        }
        Ok(())
    }

    fn add(&mut self, kind: Kind, path: PathBuf) -> Result<(), Failure> {
        match self.files.get(&kind) {
            Some(other) if *other != path => Err(Failure::configuration(format!(
                "there are two files of one kind: {} and {}",
                other.display(),
                path.display()
            ))
            .advise("name the one that is to be imported, with the other files, instead of a folder")),
            _ => {
                self.files.insert(kind, path);
                Ok(())
            }
        }
    }
}

fn nothing(path: &Path) -> Failure {
    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.file_name()).collect();
    let what = if path.is_dir() {
        format!("there is nothing to import in {}", path.display())
    } else {
        format!("{} is none of the files that can be imported, or was named twice", path.display())
    };
    Failure::configuration(what).advise(format!(
        "known are {}; in a folder, or in its folders config, data and odoo_database",
        known.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_is_looked_into_where_the_old_systems_keep_their_files() {
        let both = folder(&["config/zoho_config.json", "odoo_database/last_sync.json", "data/x.json"]);
        std::fs::create_dir_all(both.path().join("data/product_images")).unwrap();
        let found = Found::look(&[both.path().to_owned()]).unwrap();
        assert_eq!(found.files.keys().copied().collect::<Vec<_>>(), [Kind::ZohoConfig, Kind::LastSync]);
        assert!(found.images.unwrap().ends_with("data/product_images"));
    }

    #[test]
    fn two_of_one_kind_and_nothing_at_all_are_refused() {
        let two = folder(&["last_sync.json", "odoo_database/last_sync.json"]);
        let told = Found::look(&[two.path().to_owned()]).unwrap_err().to_string();
        assert!(told.contains("two files of one kind"), "{told}");
        let none = folder(&["data/x.json"]);
        for path in [none.path().to_owned(), none.path().join("data/x.json"), none.path().join("gone")] {
            let failure = Found::look(std::slice::from_ref(&path)).unwrap_err();
            assert!(failure.reason.is_configuration(), "{failure:#}");
        }
        let same = two.path().join("last_sync.json");
        assert!(Found::look(&[same.clone(), same]).is_err(), "named twice");
    }
}
