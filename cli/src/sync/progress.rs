//! Progress: a bar with rate and ETA where somebody watches, plain lines otherwise.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use shared::progress::Progress;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::output::Output;

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Between two drawings of the bar.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Shows progress until it is ended.
pub(super) struct Watcher {
    done: CancellationToken,
    task: JoinHandle<()>,
}

impl Watcher {
    pub(super) async fn end(self) {
        self.done.cancel();
        // A watcher that crashed has shown less than it should; the run is not touched by it.
        drop(self.task.await);
    }
}

pub(super) fn watch(name: &str, progress: &Arc<Progress>, output: Output) -> Watcher {
    let done = CancellationToken::new();
    let (name, progress, until) = (name.to_owned(), Arc::clone(progress), done.clone());
    let task = tokio::spawn(async move {
        if output.is_watched() {
            draw(&name, &progress, &until).await;
        } else {
            lines(&name, &progress, output, &until).await;
        }
    });
    Watcher { done, task }
}

async fn draw(name: &str, progress: &Progress, until: &CancellationToken) {
    let bar = ProgressBar::no_length().with_message(name.to_owned());
    let known = "{msg} {wide_bar} {pos}/{len} {per_sec} ETA {eta}";
    let style =
        |template| ProgressStyle::with_template(template).expect("the templates are constant and right");
    bar.set_style(style("{msg} {spinner} {pos} {per_sec}"));
    loop {
        if bar.length().is_none() && progress.expected() > 0 {
            bar.set_length(progress.expected());
            bar.set_style(style(known));
        }
        bar.set_position(progress.finished());
        tokio::select! {
            () = until.cancelled() => break,
            () = tokio::time::sleep(DRAW_EVERY) => {}
        }
    }
    bar.finish_and_clear();
}

async fn lines(name: &str, progress: &Progress, output: Output, until: &CancellationToken) {
    loop {
        tokio::select! {
            () = until.cancelled() => return,
            () = tokio::time::sleep(LINE_EVERY) => {}
        }
        match progress.expected() {
            0 => output.line(format!("{name}: {} records so far", progress.finished())),
            expected => output.line(format!("{name}: {} of {expected} records", progress.finished())),
        }
    }
}
