//! `docs/configuration.md`: the example, table by table, and the environment. Kept true, and complete, by these tests.

use std::path::Path;

use super::EXAMPLE;

/// Variables, what they hold, and what without them.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("CATALOG_SYNC_CONFIG", "The configuration file, as `--config`; `catalog-sync.toml` without it."),
    (
        "CATALOG_SYNC_ODOO_<NAME>_PASSWORD",
        "Password of the user of `[odoo.<name>]`; the name in capitals, `-` as `_`.",
    ),
    ("CATALOG_SYNC_ODOO_<NAME>_API_KEY", "API key in its place."),
    ("CATALOG_SYNC_ZOHO_<NAME>_CLIENT_SECRET", "Client secret of `[zoho.<name>]`."),
    ("CATALOG_SYNC_ZOHO_<NAME>_REFRESH_TOKEN", "Refresh token of `[zoho.<name>]`."),
    (super::fleet::BROKER_PASSWORD, "Password of `[fleet] broker_user`."),
    (super::fleet::REDIS_PASSWORD, "Password of `[fleet] redis_user`."),
    (super::notify::URL, "Notifications are posted here; without it nowhere."),
    (super::notify::AUTHORIZATION, "The header `Authorization` of these posts."),
    (super::metrics::LISTEN, "Takes the place of `[metrics] listen`; empty: nowhere."),
    (super::page::LISTEN, "Takes the place of `[page] listen`; empty: nowhere."),
    (
        super::page::TOKEN,
        "Token of the operator's page and its API, 16 characters at least; without it they are for this machine alone.",
    ),
    (
        "CATALOG_SYNC_LOG_FORMAT",
        "`text` (usual) or `json`: one object a line, with the fields beside the message.",
    ),
    (
        "CATALOG_SYNC_LOG",
        "A filter of the log instead of `-v`, such as `info,lapin=warn` or `debug` (tracing's `EnvFilter`).",
    ),
];

fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\nOne TOML file says what is synced; secrets come from the environment. `catalog-sync config \
         example` prints the file below, `catalog-sync config check` says what is wrong with yours. Unknown keys are \
         refused with line and suggestion. Lines that begin with `#` and no blank are settings at their default, or \
         parts that are switched off.\n\nThis page is made from the example; a test keeps it true.\n\n\
         ## Environment\n\nEach secret also with `_FILE` behind it: the path of a file that holds it.\n\n\
         | variable | |\n|---|---|\n",
    );
    for (variable, meaning) in ENVIRONMENT {
        page += &format!("| `{variable}` | {meaning} |\n");
    }
    for paragraph in EXAMPLE.trim_end().split("\n\n") {
        let table = paragraph.lines().find_map(|line| {
            let line = line.strip_prefix('#').unwrap_or(line);
            line.strip_prefix('[').and_then(|line| line.split(']').next())
        });
        match table {
            Some(table) => page += &format!("\n## `[{table}]`\n"),
            None if paragraph.starts_with("# catalog-sync.toml") => page += "\n## The file\n",
            None => {}
        }
        page += &format!("\n```toml\n{paragraph}\n```\n");
    }
    page
}

#[test]
fn the_page_of_the_configuration_is_the_example() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    if written != page() && std::env::var_os("CATALOG_SYNC_WRITE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
        return;
    }
    assert_eq!(
        written,
        page(),
        "run this test with CATALOG_SYNC_WRITE_DOCS=1 to write docs/configuration.md anew"
    );
}

#[test]
fn the_example_shows_every_key_that_the_file_may_have() {
    // The keys of the file's structs, by their source: there is no other list of them.
    let mut missing = Vec::new();
    for line in include_str!("file.rs").lines() {
        let Some((key, _)) = line.strip_prefix("    pub(super) ").and_then(|line| line.split_once(": "))
        else {
            continue;
        };
        let shown = EXAMPLE.lines().any(|line| {
            let line = line.trim_start_matches('#');
            line.starts_with(&format!("{key} =")) || line.starts_with(&format!("[{key}")) || {
                line.ends_with(&format!(".{key}]"))
            }
        });
        if !shown {
            missing.push(key);
        }
    }
    assert_eq!(missing, Vec::<&str>::new(), "keys that nobody learns of");
}
