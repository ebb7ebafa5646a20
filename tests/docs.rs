//! What the pages tell a person to type is there, and so is what they point to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Parser;

/// Of the workspace.
const MEMBERS: &[&str] = &["bench", "cli", "producer", "sandbox", "services", "shared", "tests", "worker"];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// README and the guide; each with its folder.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"]
        .map(|name| top().join(name))
        .to_vec();
    for folder in ["docs", "docs/decisions"] {
        let entries = std::fs::read_dir(top().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        paths.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The words of a command line, as a shell would take them, up to a comment, a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for letter in line.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' | '|' | '>' | ';' if !quoted && word.is_none() => break,
            letter if letter.is_whitespace() && !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_in_the_pages_is_one() {
    let mut seen = 0;
    for (path, text) in pages() {
        for line in text.lines().filter(|line| line.starts_with("    ")) {
            let Some(at) = line.find("catalog-sync ").filter(|at| {
                let before = line.get(..*at).unwrap().trim();
                before.is_empty() || before.ends_with("exec producer")
            }) else {
                continue;
            };
            let words = words(line.get(at..).unwrap());
            let parsed = catalog_sync::Arguments::try_parse_from(&words);
            assert!(parsed.is_ok(), "{}: {line}: {:?}", path.display(), parsed.err());
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn every_link_in_the_pages_leads_somewhere() {
    let mut seen = 0;
    for (path, text) in pages() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if target.contains("://") || file.is_empty() || file.contains(' ') {
                continue;
            }
            let there = path.parent().unwrap().join(file).exists();
            assert!(there, "{} points to {target}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn words_are_taken_as_a_shell_takes_them() {
    assert_eq!(words(r#"a --why "b c"  d=#1 # e"#), ["a", "--why", "b c", "d=#1"]);
    assert_eq!(words("a b > c"), ["a", "b"]);
}

/// Rows of the first table of a page: its first column without backquotes, and the rest.
fn rows(page: &str) -> BTreeMap<String, String> {
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let (name, rest) = row.trim_matches(['|', ' ']).split_once(" | ").unwrap();
        (name.replace('`', ""), rest.to_owned())
    })
    .collect()
}

#[test]
fn every_dependency_has_its_row_with_its_features_and_no_row_is_stale() {
    let manifest = std::fs::read_to_string(top().join("Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[workspace.dependencies]\n").unwrap();
    let (dependencies, _) = dependencies.split_once("\n[").unwrap();
    let page = std::fs::read_to_string(top().join("docs/dependencies.md")).unwrap();
    let mut rows = rows(&page);
    for (name, wanted) in dependencies.lines().filter_map(|line| line.split_once(" = ")) {
        if wanted.contains("path = ") {
            continue;
        }
        let row = rows.remove(name).unwrap_or_else(|| panic!("docs/dependencies.md has no row for {name}"));
        let (_, told) = row.rsplit_once(" | ").unwrap();
        let named = wanted.split_once("features = [").map_or("", |(_, rest)| rest.split(']').next().unwrap());
        let usual = (!wanted.contains("default-features = false")).then_some("usual");
        let features: Vec<&str> = usual
            .into_iter()
            .chain(named.split(", ").map(|name| name.trim_matches('"')).filter(|name| !name.is_empty()))
            .collect();
        let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
        assert_eq!(told, features, "{name}");
        let used = MEMBERS.iter().any(|member| {
            let manifest = std::fs::read_to_string(top().join(member).join("Cargo.toml")).unwrap();
            manifest.lines().any(|line| {
                line.starts_with(&format!("{name}.workspace")) || line.starts_with(&format!("{name} = "))
            })
        });
        assert!(used, "no member uses {name}");
    }
    assert!(rows.is_empty(), "stale rows: {rows:?}");
}

/// Every source file below the members, by its path below the top folder, with its text.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = MEMBERS.iter().map(|member| top().join(member)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                found.push((path.strip_prefix(top()).unwrap().display().to_string(), text));
            }
        }
    }
    found
}

/// What of these words of ARCHITECTURE.md, which stood between backquotes, is not there.
fn missing<'a>(code: &'a str, sources: &[(String, String)]) -> Option<&'a str> {
    let is_name =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_test = |name: &str, text: &str| text.contains(&format!("fn {name}("));
    if code.contains(char::is_whitespace) {
        // `settling.rs: name of a test`
        let (file, test) = code
            .split_once(": ")
            .filter(|(file, test)| file.strip_suffix(".rs").is_some() && is_name(test))?;
        let there = sources
            .iter()
            .any(|(path, text)| (path == file || path.ends_with(&format!("/{file}"))) && is_test(test, text));
        return (!there).then_some(code);
    }
    if let Some(file) =
        code.strip_suffix(".rs").filter(|file| file.chars().all(|c| is_name(&c.to_string()) || c == '/'))
    {
        let there = sources.iter().any(|(path, _)| path == code || path.ends_with(&format!("/{file}.rs")));
        return (!there).then_some(code);
    }
    if code.ends_with('/') && MEMBERS.iter().any(|member| code.starts_with(&format!("{member}/"))) {
        return (!top().join(code).is_dir()).then_some(code);
    }
    if let Some((module, name)) = code.rsplit_once("::").filter(|(module, _)| module.split("::").all(is_name))
    {
        if module.starts_with(|c: char| c.is_ascii_uppercase()) {
            // `State::want`: a type, and something of that name in it.
            let ways =
                [format!("fn {name}"), format!("{name},"), format!("{name} {{"), format!("const {name}")];
            let there = sources.iter().any(|(_, text)| ways.iter().any(|way| text.contains(way.as_str())));
            return (!there).then_some(code);
        }
        // `fleet::killed::*`, `sweep::name_of_a_test`: in that file of `tests/`, or in that folder.
        let place = format!("/{}", module.replace("::", "/"));
        let mut of_module = sources
            .iter()
            .filter(|(path, _)| path.contains(&format!("{place}.rs")) || path.contains(&format!("{place}/")));
        let there = match name.strip_suffix('*') {
            Some(begin) => of_module.any(|(_, text)| text.contains(&format!("fn {begin}"))),
            None => of_module.any(|(_, text)| is_test(name, text)),
        };
        return (!there).then_some(code);
    }
    // A test whose file was named just before.
    let is_sentence = is_name(code) && code.matches('_').count() >= 4;
    (is_sentence && !sources.iter().any(|(_, text)| is_test(code, text))).then_some(code)
}

#[test]
fn every_file_and_every_test_that_the_architecture_names_exists() {
    let text = std::fs::read_to_string(top().join("ARCHITECTURE.md")).unwrap();
    let sources = sources();
    let named: Vec<String> = text.split('`').skip(1).step_by(2).map(|code| code.replace('\n', " ")).collect();
    assert!(named.len() > 150, "{}", named.len());
    let gone: Vec<&str> = named.iter().filter_map(|code| missing(code, &sources)).collect();
    assert!(gone.is_empty(), "{gone:#?}");
    let (_, invariants) = text.split_once("## Invariants").unwrap();
    for number in 1..=10 {
        assert!(invariants.contains(&format!("\n| {number}. ")), "invariant {number} has no row");
    }
}

#[test]
fn names_that_are_not_there_are_told() {
    let sources = sources();
    for code in [
        "shared/src/nothing.rs",
        "nothing.rs",
        "shared/src/nothing/",
        "State::nothing_of_the_kind",
        "sweep::no_such_test",
        "nothing::*",
        "settling.rs: no_such_test",
        "a_name_of_no_test_at_all",
    ] {
        assert_eq!(missing(code, &sources), Some(code));
    }
    for code in [
        "shared/src/failure.rs",
        "json/sink.rs",
        "worker/src/sink/",
        "State::want",
        "sweep::*",
        "a word",
        "applied",
    ] {
        assert_eq!(missing(code, &sources), None, "{code}");
    }
}

/// The unit in the pages, with paths that are there.
#[test]
fn systemd_takes_the_unit_of_the_pages() {
    let page = std::fs::read_to_string(top().join("docs/schedule.md")).unwrap();
    let unit: Vec<&str> = page
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or_default())
        .skip_while(|line| *line != "[Unit]")
        .take_while(|line| !line.starts_with("schtasks"))
        .collect();
    let (unit, _) = unit.split_at(unit.iter().position(|line| line.starts_with("WantedBy=")).unwrap() + 1);
    let unit = unit.join("\n");
    let program = env!("CARGO_BIN_EXE_catalog-sync-under-test");
    let (folder, word) = (tempfile::tempdir().unwrap(), "ExecStart=/opt/catalog-sync/catalog-sync");
    assert!(unit.contains(word), "{unit}");
    let file = folder.path().join("catalog-sync.service");
    let verified = |unit: &str| {
        std::fs::write(&file, unit.replace(word, &format!("ExecStart={program}"))).unwrap();
        std::process::Command::new("systemd-analyze").arg("verify").arg(&file).output()
    };
    let Ok(output) = verified(&unit) else {
        println!("systemd-analyze is not installed: the unit was NOT verified");
        return;
    };
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let ours = |said: &str| said.lines().any(|line| line.contains("catalog-sync.service"));
    assert!(!ours(&said(&output)), "{}", said(&output));
    // What it looks at is really looked at.
    let broken = verified(&unit.replace("RestartSec=10", "RestartSek=10")).unwrap();
    assert!(ours(&said(&broken)), "{}", said(&broken));
}
