//! Who may do what, and how a refusal is worded.

use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::schema::ModelId;
use crate::odoo::settings::OdooVersion;

/// A user that can log in.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) uid: i64,
    pub(crate) login: &'static str,
    pub(crate) password: &'static str,
    pub(crate) api_key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) partner: i64,
    pub(crate) is_admin: bool,
}

/// The users of a fresh database that have a password: an administrator and a plain internal user.
pub(crate) fn users(version: OdooVersion) -> [User; 2] {
    let (plain, partner) = match version {
        OdooVersion::V17 => (6, 7),
        OdooVersion::V18 => (6, 6),
        OdooVersion::V19 => (5, 6),
    };
    [
        User {
            uid: 2,
            login: "admin",
            password: "sandbox-admin-password",
            api_key: "5bc0ffee00admin0sandbox0key0for0tests000",
            name: "Administrator",
            partner: 3,
            is_admin: true,
        },
        User {
            uid: plain,
            login: "plain",
            password: "sandbox-plain-password",
            api_key: "5bc0ffee00plain0sandbox0key0for0tests000",
            name: "Plain User",
            partner,
            is_admin: false,
        },
    ]
}

/// What a call wants to do with a model's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    Write,
    Create,
    Unlink,
}

impl Operation {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "read" => Self::Read,
            "write" => Self::Write,
            "create" => Self::Create,
            "unlink" => Self::Unlink,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Unlink => "unlink",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Read => "access",
            Self::Write => "modify",
            Self::Create => "create",
            Self::Unlink => "delete",
        }
    }
}

impl Database {
    /// Refuses records that a record rule keeps from the user; one of them is enough. Worded as without debug mode.
    pub(crate) fn check_rules(
        &self,
        user: &User,
        model: ModelId,
        operation: Operation,
        ids: &[i64],
    ) -> Result<(), OdooError> {
        if !ids.iter().any(|id| self.ruled_out.contains(&(model, *id)) && self.exists(model, *id)) {
            return Ok(());
        }
        let described = self.schema.model(model);
        Err(OdooError::access(format!(
            "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\nSorry, {} (id={}) doesn't have \
             '{}' access to:\n- {} ({})\n\nIf you really, really need access, perhaps you can win over your friendly \
             administrator with a batch of freshly baked cookies.",
            user.name,
            user.uid,
            operation.name(),
            described.description,
            described.name
        )))
    }
}

/// Whether a plain internal user may do this.
pub(crate) fn plain_user_may(model: &str, operation: Operation) -> bool {
    match model {
        "ir.model.data" | "ir.config_parameter" => false,
        _ => operation == Operation::Read,
    }
}

/// The refusal, naming the groups that may.
pub(crate) fn refusal(
    version: OdooVersion,
    model: &str,
    description: &str,
    operation: Operation,
) -> OdooError {
    let groups = groups(version, model);
    let hint = if groups.is_empty() {
        "No group currently allows this operation.".to_owned()
    } else {
        let list: Vec<String> = groups.iter().map(|group| format!("\t- {group}")).collect();
        format!("This operation is allowed for the following groups:\n{}", list.join("\n"))
    };
    OdooError::access(format!(
        "You are not allowed to {} '{description}' ({model}) records.\n\n{hint}\n\nContact your administrator to \
         request access if necessary.",
        operation.verb()
    ))
}

fn groups(version: OdooVersion, model: &str) -> &'static [&'static str] {
    match (model, version) {
        ("ir.model.data", OdooVersion::V19) => &["Access Rights"],
        ("ir.model.data", _) => &["Administration/Access Rights"],
        ("ir.config_parameter", OdooVersion::V19) => &["Role / Administrator"],
        ("ir.config_parameter", _) => &["Administration/Settings"],
        ("product.template" | "product.product" | "product.category", OdooVersion::V17) => {
            &["Administration/Settings", "Inventory/Administrator", "Sales/Administrator"]
        }
        ("product.template" | "product.product" | "product.category", OdooVersion::V18) => &[
            "Extra Rights/Product Creation",
            "Inventory/Administrator",
            "Invoicing/Administrator",
            "Sales/Administrator",
        ],
        ("product.template" | "product.product" | "product.category", OdooVersion::V19) => {
            &["Products/Create"]
        }
        ("res.partner", OdooVersion::V19) => &["Contact / Creation"],
        ("res.partner", _) => &["Extra Rights/Contact Creation"],
        _ => &[],
    }
}
