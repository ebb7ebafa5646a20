//! Recordings the stand-in does not answer alike, and those whose values nobody could know.

/// Why this recording may differ, if it may.
pub(crate) fn not_modelled(version: &str, name: &str) -> Option<&'static str> {
    let entry = NOT_MODELLED.iter().find(|entry| entry.1 == name && entry.0.contains(&version));
    entry.map(|entry| entry.2)
}

/// Whether the values depend on records the recordings do not show, so that only their shape is compared.
pub(crate) fn shape_only(version: &str, name: &str) -> bool {
    SHAPE_ONLY.iter().any(|entry| entry.1 == name && entry.0.contains(&version))
}

const ALL: &[&str] = &["17", "18", "19", "19-json2"];

/// Versions, name, reason.
const NOT_MODELLED: &[(&[&str], &str, &str)] = &[
    (&["17"], "214-order-non-stored", "the order is ignored and rows come as they lie on the disk"),
    (&["19-json2"], "023-doc-index", "the documentation module is not part of the stand-in"),
    (&["19-json2"], "024-doc-model", "the documentation module is not part of the stand-in"),
];

/// Versions, name, reason.
const SHAPE_ONLY: &[(&[&str], &str, &str)] = &[
    (ALL, "212-search_read-empty-fields", "chatter, activities and accounts have ids of their own"),
    (ALL, "580-att-domain-image-set", "counts records of other runs"),
    (ALL, "581-att-domain-image-unset", "counts records of other runs"),
    (ALL, "810-session-call_kw", "counts records of other runs"),
    (ALL, "908-throttle-then-right", "counts records of other runs"),
    (ALL, "910-throttle-json2-right", "counts records of other runs"),
    (&["19-json2"], "201-search_count", "counts records of the run before"),
    (&["19-json2"], "202-search_read-incremental", "shows records of the run before"),
    (&["19-json2"], "203-search_read-page2", "shows records of the run before"),
];
