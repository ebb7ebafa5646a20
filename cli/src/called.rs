//! One program under three names: as `catalog-producer` and `catalog-worker` it is that command of ours.

use std::ffi::OsString;
use std::path::Path;

/// Names that stand for a command.
const NAMES: [(&str, &str); 2] = [("catalog-producer", "producer"), ("catalog-worker", "worker")];

/// The arguments of a process, its name first, with the command that the name stands for spelt out.
pub fn spelt_out(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let called = arguments.next().unwrap_or_default();
    let name = Path::new(&called).file_stem();
    let command = NAMES.iter().find(|(known, _)| name.is_some_and(|name| name == *known));
    let command = command.map(|(_, command)| OsString::from(command));
    std::iter::once(called).chain(command).chain(arguments).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_command_whatever_its_folder() {
        for (called, expected) in [
            (
                &["/usr/local/bin/catalog-worker", "items"][..],
                &["/usr/local/bin/catalog-worker", "worker", "items"][..],
            ),
            (&["catalog-producer.exe", "-v"], &["catalog-producer.exe", "producer", "-v"]),
            (&["catalog-sync", "status"], &["catalog-sync", "status"]),
            (&["catalog-workers"], &["catalog-workers"]),
        ] {
            assert_eq!(spelt_out(called.iter().map(OsString::from)), expected);
        }
    }
}
