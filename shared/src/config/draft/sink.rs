//! Where a pipeline writes, and what becomes there of records that are gone.

use super::super::check::{folder_of, in_file};
use super::super::entity::Entity;
use super::super::file;
use super::super::pipeline::{Gone, JsonFile, JsonFormat, OdooTarget, SourceConfig, Sweep};
use super::{Draft, System};
use crate::failure::Failure;

impl Draft<'_> {
    pub(super) fn json_file(&self, target: &str, entity: Option<&Entity>) -> Result<JsonFile, Failure> {
        let table = self.file.json.get(target).ok_or_else(|| {
            in_file(self.path, format!("there is no [json.{target}]"))
                .advise("add that table; `catalog-sync config example` shows one")
        })?;
        let file = self.keys.file.clone().or_else(|| entity.map(|entity| entity.file.into()));
        let file = file.unwrap_or_else(|| format!("{}.json", self.name).into());
        Ok(JsonFile {
            path: folder_of(self.path).join(&table.folder).join(file),
            format: self.keys.format.or(table.format).unwrap_or(JsonFormat::Json),
        })
    }

    pub(super) fn odoo_target(&self, target: &str, entity: Option<&Entity>) -> Result<OdooTarget, Failure> {
        let model =
            self.keys.target.clone().or_else(|| entity.and_then(|entity| entity.target).map(str::to_owned));
        let model = model.ok_or_else(|| {
            in_file(self.path, format!("pipeline '{}' does not say which Odoo model it writes", self.name))
                .advise("set `target = \"product.product\"`")
        })?;
        let products = model == "product.product";
        Ok(OdooTarget {
            server: target.to_owned(),
            prefix: self.keys.prefix.clone().unwrap_or_else(|| "zoho".to_owned()),
            entity: self
                .keys
                .record
                .clone()
                .unwrap_or_else(|| entity.map_or(self.name, |entity| entity.record).to_owned()),
            match_by: self.keys.match_by.clone(),
            context: file::values(&self.keys.context),
            storable: products && self.keys.storable.unwrap_or(self.keys.mapping.is_none()),
            images: products && self.keys.images.unwrap_or(true),
            image_quality: self.image_quality()?,
            image_removed: self.keys.image_removed.unwrap_or_default(),
            model,
        })
    }

    fn image_quality(&self) -> Result<u8, Failure> {
        match self.keys.image_quality {
            None => Ok(90),
            Some(quality @ 1..=100) => Ok(quality),
            Some(other) => {
                Err(in_file(self.path, format!("pipeline '{}': image_quality is {other}", self.name))
                    .advise("choose 1 to 100; 90 is usual"))
            }
        }
    }

    pub(super) fn sweep(&self, to: System, source: &SourceConfig) -> Result<Sweep, Failure> {
        let (usual, fitting): (_, &[Gone]) = match to {
            System::Odoo => (Gone::Archive, &[Gone::Archive, Gone::Keep]),
            System::Json | System::Zoho => (Gone::Keep, &[Gone::Keep, Gone::Mark, Gone::Remove]),
        };
        let gone = self.keys.gone.unwrap_or(usual);
        if !fitting.contains(&gone) {
            let advice = match to {
                System::Odoo => "use \"archive\" or \"keep\": nothing is ever deleted in Odoo",
                System::Json | System::Zoho => "use \"keep\", \"mark\" or \"remove\"",
            };
            return Err(
                in_file(self.path, format!("{} does not fit its sink", self.at("gone"))).advise(advice)
            );
        }
        let at_most_percent = self.keys.gone_at_most_percent.unwrap_or(10);
        if at_most_percent > 100 {
            return Err(in_file(
                self.path,
                format!("{} is {at_most_percent}", self.at("gone_at_most_percent")),
            )
            .advise("use 0 to 100; 10 is usual"));
        }
        let left_is_gone = self.keys.left_is_gone.unwrap_or(false);
        if left_is_gone && !source.is_selection() {
            return Err(in_file(
                self.path,
                format!("{} is set, but the pipeline reads all records", self.at("left_is_gone")),
            )
            .advise("take it out, or set a `domain` (Odoo) or a `contact_type` (Zoho)"));
        }
        Ok(Sweep { gone, at_most_percent, left_is_gone })
    }
}
