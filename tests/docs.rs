//! What the pages tell a person to type is there, and so is what they point to.

use std::path::{Path, PathBuf};

use clap::Parser;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// README and the guide; each with its folder.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = vec![top().join("README.md"), top().join("ARCHITECTURE.md"), top().join("CHANGELOG.md")];
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
