//! Parts run one after the other, each in a process of its own: one's memory is not another's figure, and one that crashes or
//! hangs stops itself alone.

use std::any::Any;
use std::os::unix::process::CommandExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use clap::ValueEnum as _;

use crate::arguments::{Arguments, Part};
use crate::report::Report;
use crate::results::{Measured, Results};
use crate::{machine, measure};

/// A part's name on the command line.
pub(crate) fn name(part: Part) -> String {
    part.to_possible_value().unwrap().get_name().to_owned()
}

/// Measures it in this process; what panics is its error.
pub(crate) fn here(part: Part, arguments: &Arguments) -> Measured {
    let mut report = Report::default();
    let (began, before) = (Instant::now(), machine::load());
    let ended = catch_unwind(AssertUnwindSafe(|| measure(part, &mut report, arguments)));
    Measured {
        name: name(part),
        machine: machine::facts(),
        quick: arguments.quick,
        seconds: began.elapsed().as_secs_f64(),
        load: (before, machine::load()),
        error: ended.err().map(|panic| said(panic.as_ref())),
        figures: report.figures().to_vec(),
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").chars().take(500).collect()
}

/// Measures it in a process of its own, which is ended with its children when its time is over.
pub(crate) fn apart(part: Part, arguments: &Arguments) -> Measured {
    let kept = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .arg(name(part))
        .arg("--into")
        .arg(kept.path())
        .args(["--minutes", &arguments.minutes.to_string()]);
    if arguments.quick {
        command.arg("--quick");
    }
    for (option, path) in [("--peer", &arguments.peer), ("--python", &arguments.python)] {
        if let Some(path) = path {
            command.arg(option).arg(path);
        }
    }
    let began = Instant::now();
    // A group of its own: ended, it takes its children along.
    let mut child = command.process_group(0).spawn().unwrap();
    let ended = wait(&mut child, part.limit(arguments));
    if ended.is_none() {
        let group = format!("-{}", child.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).status());
        drop(child.wait());
    }
    let error = match ended {
        Some(_) => "it ended without a word".to_owned(),
        None => format!("it took longer than {} s and was ended", part.limit(arguments).as_secs()),
    };
    parsed(kept.path()).unwrap_or_else(|| Measured {
        name: name(part),
        machine: machine::facts(),
        quick: arguments.quick,
        seconds: began.elapsed().as_secs_f64(),
        load: (machine::load(), machine::load()),
        error: Some(error),
        figures: Vec::new(),
    })
}

/// `None`: it has not ended in that time.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < limit {
        if let Some(ended) = child.try_wait().unwrap() {
            return Some(ended);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    None
}

fn parsed(file: &Path) -> Option<Measured> {
    serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
}

/// Runs them all and keeps what each brought at once. Returns whether all ended well.
pub(crate) fn all(parts: &[Part], arguments: &Arguments, mut keep: impl FnMut(&Measured)) -> bool {
    let mut run = Results::default();
    let began = Instant::now();
    for part in parts {
        let measured = apart(*part, arguments);
        println!("\n{}: {:.0} s", measured.name, measured.seconds);
        if let Some(error) = &measured.error {
            println!("**{} FAILED**: {error}", measured.name);
        }
        keep(&measured);
        run.put(measured);
    }
    println!("\n{}", crate::document::summary(&run));
    println!("{} parts in {:.0} s", run.parts.len(), began.elapsed().as_secs_f64());
    let failed: Vec<&Measured> = run.parts.iter().filter(|part| part.error.is_some()).collect();
    for part in &failed {
        println!("**{} FAILED**: {}", part.name, part.error.as_deref().unwrap_or_default());
    }
    failed.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_says_is_the_error_of_its_part() {
        let panic = catch_unwind(|| panic!("{} is not there", "the broker")).unwrap_err();
        assert_eq!(said(panic.as_ref()), "the broker is not there");
        let panic = catch_unwind(|| std::panic::panic_any(5)).unwrap_err();
        assert_eq!(said(panic.as_ref()), "it panicked");
    }

    #[test]
    fn who_has_not_ended_in_time_is_told_from_who_has() {
        let mut quick = Command::new("true").spawn().unwrap();
        assert!(wait(&mut quick, Duration::from_mins(1)).is_some_and(|ended| ended.success()));
        let mut slow = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(wait(&mut slow, Duration::from_millis(100)).is_none());
        slow.kill().unwrap();
        slow.wait().unwrap();
    }
}
