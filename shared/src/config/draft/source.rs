//! What a pipeline reads: its records and the columns that are made of them.

use std::collections::HashSet;
use std::time::Duration;

use super::super::check::in_file;
use super::super::column;
use super::super::entity::Entity;
use super::super::file::{self, Span};
use super::super::pipeline::OdooEntity;
use super::{Draft, System};
use crate::failure::Failure;
use crate::mapping::{Missing, SourceColumn};
use crate::zoho::{Api, Kind, ZohoEntity};

impl Draft<'_> {
    pub(super) fn columns(&self, entity: Option<&Entity>, to: System) -> Result<Vec<SourceColumn>, Failure> {
        let mut columns = Vec::new();
        if let Some(mapping) = &self.keys.mapping {
            if !self.keys.fields.is_empty() {
                return Err(in_file(
                    self.path,
                    format!("pipeline '{}' has both `fields` and `mapping`", self.name),
                )
                .advise("keep one: `fields` keeps the source's names, `mapping` renames"));
            }
            for (name, value) in mapping {
                let at = self.at(&format!("mapping.{name}"));
                columns.push(column::column(name, value).map_err(|what| {
                    in_file(self.path, format!("{at} {what}"))
                        .advise("docs/mapping.md says what a column may hold")
                })?);
            }
        } else if !self.keys.fields.is_empty() {
            columns.extend(self.keys.fields.iter().map(|field| SourceColumn::kept(field)));
        } else if let Some(entity) = entity {
            columns = entity.columns(to == System::Odoo);
        }
        if columns.is_empty() {
            return Err(in_file(
                self.path,
                format!("pipeline '{}' does not say which fields it reads", self.name),
            )
            .advise("set `fields = [\"name\", ...]` or a `mapping`"));
        }
        if to == System::Json {
            if let Some(column) = columns.iter().find(|column| column.missing != Missing::Fail) {
                let at = self.at(&format!("mapping.{}", column.column.name));
                return Err(in_file(
                    self.path,
                    format!("{at} has `missing`, but a file refers to no records"),
                )
                .advise("take it out"));
            }
            columns.retain(|column| column.column.name != "id");
            let id = entity.map_or("id", |entity| entity.id_field);
            columns.insert(0, SourceColumn::renamed("id", id));
        }
        let mut seen = HashSet::new();
        match columns.iter().find(|column| !seen.insert(column.column.name.clone())) {
            Some(twice) => Err(in_file(
                self.path,
                format!("pipeline '{}' names '{}' twice", self.name, twice.column.name),
            )
            .advise("keep one of them")),
            None => Ok(columns),
        }
    }

    fn page_size(&self, usual: usize, most: usize) -> Result<usize, Failure> {
        let page_size = self.keys.page_size.unwrap_or(usual);
        if (1..=most).contains(&page_size) {
            return Ok(page_size);
        }
        Err(in_file(self.path, format!("{} is {page_size}", self.at("page_size")))
            .advise(format!("use 1 to {most}")))
    }

    fn overlap(&self) -> Duration {
        self.keys.overlap.map_or(Duration::from_mins(15), |Span(span)| span)
    }

    pub(super) fn odoo_entity(
        &self,
        server: &str,
        entity: Option<&Entity>,
        columns: Vec<SourceColumn>,
    ) -> Result<OdooEntity, Failure> {
        let model = self.keys.model.clone().or_else(|| entity.map(|entity| entity.model.to_owned()));
        let model = model.ok_or_else(|| {
            in_file(self.path, format!("pipeline '{}' does not say what it reads", self.name))
                .advise("set `entity = \"customers\"` or `\"products\"`, or `model` and `fields`")
        })?;
        Ok(OdooEntity {
            server: server.to_owned(),
            model,
            columns,
            domain: self.keys.domain.iter().cloned().map(file::json).collect(),
            overlap: self.overlap(),
            page_size: self.page_size(500, 5_000)?,
        })
    }

    pub(super) fn zoho_entity(
        &self,
        server: &str,
        entity: Option<&Entity>,
        columns: Vec<SourceColumn>,
    ) -> Result<ZohoEntity, Failure> {
        let kind = match entity.map(|entity| entity.name) {
            Some("items") => Kind::Items,
            Some("contacts") => Kind::Contacts,
            _ => {
                return Err(in_file(
                    self.path,
                    format!("pipeline '{}' does not say what it reads", self.name),
                )
                .advise("set `entity = \"items\"` or `\"contacts\"`"));
            }
        };
        if kind == Kind::Items && self.keys.contact_type.is_some() {
            return Err(in_file(
                self.path,
                format!("{} is set, but items have none", self.at("contact_type")),
            )
            .advise("take it out, or set `entity = \"contacts\"`"));
        }
        Ok(ZohoEntity {
            contact_type: self.keys.contact_type,
            server: server.to_owned(),
            api: self.file.zoho.get(server).and_then(|account| account.api).unwrap_or(Api::Inventory),
            kind,
            columns,
            overlap: self.overlap(),
            page_size: self.page_size(200, 200)?,
        })
    }
}
