//! A method call, whichever transport brought it: its arguments bound to parameter names.

use serde_json::{Map, Value as Json};

use crate::odoo::error::OdooError;
use crate::odoo::settings::OdooVersion;
use crate::odoo::value::is_truthy;

/// A method's parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signature {
    /// Called on records: JSON-RPC passes their ids first, JSON-2 as `ids`.
    pub(crate) on_records: bool,
    /// Names in order; those before `required` must be given.
    pub(crate) parameters: &'static [&'static str],
    pub(crate) required: usize,
}

/// The remote methods of every model.
pub(crate) fn signature(version: OdooVersion, model: &str, method: &str) -> Option<Signature> {
    let of_model = |parameters, required| Signature { on_records: false, parameters, required };
    let of_records = |parameters, required| Signature { on_records: true, parameters, required };
    let default_get: &[&str] = if version < OdooVersion::V19 { &["fields_list"] } else { &["fields"] };
    let name_search: &[&str] = if version < OdooVersion::V19 {
        &["name", "args", "operator", "limit"]
    } else {
        &["name", "domain", "operator", "limit"]
    };
    Some(match method {
        "search" => of_model(&["domain", "offset", "limit", "order"], 1),
        "search_count" => of_model(&["domain", "limit"], 1),
        "search_read" => of_model(&["domain", "fields", "offset", "limit", "order"], 0),
        "web_search_read" => {
            of_model(&["domain", "specification", "offset", "limit", "order", "count_limit"], 2)
        }
        "fields_get" => of_model(&["allfields", "attributes"], 0),
        // On 18 products override it without saying that it is called on the model, so ids are expected first.
        "default_get" if version == OdooVersion::V18 && model == "product.template" => {
            of_records(default_get, 1)
        }
        "default_get" => of_model(default_get, 1),
        "name_search" => of_model(name_search, 0),
        "name_create" => of_model(&["name"], 1),
        "check_access_rights" => of_model(&["operation", "raise_exception"], 1),
        "create" => of_model(&["vals_list"], 1),
        "load" => of_model(&["fields", "data"], 2),
        "check_object_reference" => of_model(&["module", "xml_id", "raise_on_access_error"], 2),
        "read" => of_records(&["fields", "load"], 0),
        "write" => of_records(&["vals"], 1),
        "unlink" | "exists" | "get_metadata" | "get_external_id" | "action_archive" | "action_unarchive" => {
            of_records(&[], 0)
        }
        "copy" => of_records(&["default"], 0),
        "has_access" | "check_access" if version >= OdooVersion::V18 => of_records(&["operation"], 1),
        "check_access_rule" if version == OdooVersion::V17 => of_records(&["operation"], 1),
        "export_data" => of_records(&["fields_to_export"], 1),
        _ => return None,
    })
}

/// Arguments by parameter name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bound {
    pub(crate) ids: Vec<i64>,
    pub(crate) context: Map<String, Json>,
    arguments: Map<String, Json>,
}

impl Bound {
    /// Binds positional and keyword arguments as Python does.
    pub(crate) fn positional(
        class: &str,
        method: &str,
        signature: Signature,
        args: &[Json],
        kwargs: &Map<String, Json>,
    ) -> Result<Self, OdooError> {
        let mut bound = Self::default();
        let mut args = args;
        if signature.on_records {
            let Some((first, rest)) = args.split_first() else {
                return Err(missing(class, method, &["ids"]));
            };
            bound.ids = ids(first);
            args = rest;
        }
        if args.len() > signature.parameters.len() {
            let (most, given) = (signature.parameters.len() + 1, args.len() + 1);
            let message =
                format!("{class}.{method}() takes {most} positional arguments but {given} were given");
            return Err(OdooError::type_error(message));
        }
        for (name, value) in signature.parameters.iter().zip(args) {
            bound.arguments.insert((*name).to_owned(), value.clone());
        }
        for (name, value) in kwargs {
            if name == "context" {
                bound.context = value.as_object().cloned().unwrap_or_default();
            } else if signature.parameters.contains(&name.as_str()) {
                bound.arguments.insert(name.clone(), value.clone());
            } else {
                let message = format!("{class}.{method}() got an unexpected keyword argument '{name}'");
                return Err(OdooError::type_error(message));
            }
        }
        let needed = signature.parameters.iter().take(signature.required);
        let absent: Vec<&str> =
            needed.filter(|name| !bound.arguments.contains_key(**name)).copied().collect();
        if absent.is_empty() { Ok(bound) } else { Err(missing(class, method, &absent)) }
    }

    /// Binds the named arguments of a JSON-2 body, which also holds `ids` and `context`.
    pub(crate) fn named(
        model: &str,
        method: &str,
        signature: Signature,
        body: &Map<String, Json>,
    ) -> Result<Self, OdooError> {
        let mut bound = Self::default();
        for (name, value) in body {
            match name.as_str() {
                "context" => bound.context = value.as_object().cloned().unwrap_or_default(),
                "ids" => bound.ids = ids(value),
                _ => {
                    bound.arguments.insert(name.clone(), value.clone());
                }
            }
        }
        if !signature.on_records && !bound.ids.is_empty() {
            return Err(OdooError::http(422, format!("cannot call {model}.{method} with ids")));
        }
        let mut needed = signature.parameters.iter().take(signature.required);
        if let Some(name) = needed.find(|name| !bound.arguments.contains_key(**name)) {
            return Err(OdooError::http(422, format!("missing a required argument: '{name}'")));
        }
        if let Some(name) = bound.arguments.keys().find(|name| !signature.parameters.contains(&name.as_str()))
        {
            return Err(OdooError::http(422, format!("got an unexpected keyword argument '{name}'")));
        }
        Ok(bound)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.arguments.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.get(name).and_then(Json::as_u64).and_then(|number| usize::try_from(number).ok())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(is_truthy)
    }

    /// Whether archived records are hidden.
    pub(crate) fn active_test(&self) -> bool {
        self.context.get("active_test").is_none_or(is_truthy)
    }

    pub(crate) fn bin_size(&self) -> bool {
        self.context.get("bin_size").is_some_and(is_truthy)
    }
}

fn ids(json: &Json) -> Vec<i64> {
    match json {
        Json::Array(items) => items.iter().filter_map(Json::as_i64).collect(),
        one => one.as_i64().into_iter().collect(),
    }
}

fn missing(class: &str, method: &str, names: &[&str]) -> OdooError {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let (count, plural) = (names.len(), if names.len() == 1 { "" } else { "s" });
    let list = match quoted.as_slice() {
        [one, two] => format!("{one} and {two}"),
        [rest @ .., last] if !rest.is_empty() => format!("{}, and {last}", rest.join(", ")),
        list => list.join(", "),
    };
    OdooError::type_error(format!(
        "{class}.{method}() missing {count} required positional argument{plural}: {list}"
    ))
}
