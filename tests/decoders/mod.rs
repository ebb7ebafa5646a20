//! Every decoder of bytes that others wrote: over the corpus that fuzzing has found (`fuzz/corpus`), over what becomes of it
//! when bytes are changed, and over bytes at random. What must hold for any bytes stands beside the decoders, in
//! `shared::fuzzing` and `worker::fuzzing`.

mod mutation;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mutation::mutated;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Longer ones find no more.
const MOST_BYTES: usize = 300;

macro_rules! decoders {
    ($($name:ident in $home:ident, $cases:literal;)*) => {
        $(mod $name {
            use $home::fuzzing::$name as decode;

            #[test]
            fn the_corpus() {
                for (file, bytes) in super::corpus(stringify!($name)) {
                    println!("{}", file.display());
                    decode(&bytes);
                }
            }

            #[test]
            fn the_corpus_with_changed_bytes() {
                super::over_changed_bytes(stringify!($name), $cases, decode);
            }

            #[test]
            fn bytes_at_random() {
                super::over_any_bytes($cases, decode);
            }
        })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

decoders! {
    config in shared, 256;
    headers in shared, 256;
    image in worker, 1_000;
    job in shared, 1_000;
    json_file in worker, 50;
    json_index in worker, 100;
    json_journal in worker, 50;
    json_last_sync in worker, 100;
    json_meta in worker, 50;
    odoo_answer in shared, 1_000;
    zoho_answer in shared, 1_000;
    zoho_position in shared, 256;
    zoho_token in shared, 256;
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = std::fs::read_dir(folder().join("corpus").join(name)).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort_unstable();
    assert!(files.len() > 2, "{name} has no corpus");
    files.into_iter().map(|file| (file.clone(), std::fs::read(&file).unwrap())).collect()
}

fn over_changed_bytes(name: &str, cases: u32, decode: fn(&[u8])) {
    let corpus: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, bytes)| bytes).collect();
    over(cases, mutated(corpus), decode);
}

fn over_any_bytes(cases: u32, decode: fn(&[u8])) {
    over(cases, prop::collection::vec(any::<u8>(), 0..MOST_BYTES), decode);
}

/// A failure names the smallest bytes that fail; kept as a file of the corpus they are a test.
fn over(cases: u32, bytes: impl Strategy<Value = Vec<u8>>, decode: fn(&[u8])) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let run = runner.run(&bytes, |bytes| {
        decode(&bytes);
        Ok(())
    });
    run.unwrap();
}

#[test]
fn each_has_a_fuzz_target_and_there_is_no_other() {
    let targets = std::fs::read_dir(folder().join("fuzz_targets")).unwrap();
    let targets: BTreeSet<String> = targets
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(targets, NAMES.iter().map(|name| (*name).to_owned()).collect());
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for name in NAMES {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is no target of fuzz/Cargo.toml");
    }
}
