//! One pipeline and kind of jobs in a fleet's worker: works while nothing pauses it, says why when it cannot, and tries
//! again when it is this worker's turn.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use shared::config::{Pipeline, SinkConfig, SourceConfig};
use shared::failure::{Class, DEFECT, Failure, Reason};
use shared::fleet::{Heart, Meeting, Pause, Scope};
use shared::job::JobKind;
use shared::progress::Progress;
use shared::systems::Systems;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::breaker::Breaker;
use crate::consume::Worker;
use crate::file_keeper::FileKeeper;
use crate::image::{ImageCache, ImageSettings, ImageSource, ImageWorker};
use crate::open::{Opened, sink};
use crate::sink::odoo::OdooImages;

/// How often pauses are looked for.
const LOOK: Duration = Duration::from_millis(500);

/// A trial in which nothing failed for so long went well: there was nothing to do.
const TRIAL: Duration = Duration::from_secs(5);

/// What the cache of images may take of the disk.
const CACHE_BYTES: u64 = 1 << 30;

/// One pipeline and kind of a worker process.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) meeting: Meeting,
    pub(crate) systems: Arc<Systems>,
    pub(crate) pipeline: Pipeline,
    pub(crate) kind: JobKind,
    pub(crate) heart: Heart,
    pub(crate) progress: Arc<Progress>,
    /// Where images are kept until they are written.
    pub(crate) image_folder: PathBuf,
    /// Cancelled when the process is to end: what is in hand is ended first.
    pub(crate) drain: CancellationToken,
}

impl Lane {
    /// Works until the drain.
    pub(crate) async fn work(self) {
        while !self.drain.is_cancelled() {
            let worked = match self.may_work().await {
                Ok(Some(trial)) => self.session(trial).await,
                Ok(None) => Ok(()),
                Err(failure) => Err(failure),
            };
            self.say(false);
            if let Err(failure) = worked {
                self.stopped_by(&failure).await;
            }
            tokio::select! {
                () = self.drain.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    fn name(&self) -> String {
        format!("{}.{}", self.pipeline.name, self.kind.label())
    }

    /// Tells the fleet whether this lane is working.
    fn say(&self, works: bool) {
        self.progress.meter().works(self.kind.label(), works);
        self.heart.say(|presence| {
            let (name, kind) = (&self.pipeline.name, self.kind.label());
            presence.lanes.retain(|(pipeline, known, _)| pipeline != name || known != kind);
            presence.lanes.push((name.clone(), kind.to_owned(), works));
        });
    }

    /// What can pause this lane; the last one is its own.
    fn scopes(&self) -> &'static [Scope] {
        match self.kind {
            JobKind::Record => &[Scope::Pipeline],
            JobKind::Image => &[Scope::Pipeline, Scope::Images],
        }
    }

    fn own_scope(&self) -> Scope {
        match self.kind {
            JobKind::Record => Scope::Pipeline,
            JobKind::Image => Scope::Images,
        }
    }

    async fn paused(&self) -> Result<Option<(Scope, Pause)>, Failure> {
        for scope in self.scopes() {
            if let Some(pause) = Pause::of(&self.meeting.state, &self.pipeline.name, *scope).await? {
                return Ok(Some((*scope, pause)));
            }
        }
        Ok(None)
    }

    /// `None`: it is paused. `Some(true)`: it is, and it is this worker's turn to try.
    async fn may_work(&self) -> Result<Option<bool>, Failure> {
        match self.paused().await? {
            None => Ok(Some(false)),
            Some((scope, pause)) if scope == self.own_scope() => {
                let takes = pause.take_probe(&self.meeting.state, &self.pipeline.name, scope).await?;
                Ok(takes.then_some(true))
            }
            Some(_) => Ok(None),
        }
    }

    /// Works until something is sick, somebody pauses it, or the drain. A trial ends the pause with the first job that
    /// goes well.
    async fn session(&self, trial: bool) -> Result<(), Failure> {
        let stop = self.drain.child_token();
        let looked = self.look(trial, stop.clone());
        let worked = async {
            let worked = match self.kind {
                JobKind::Record => self.records(trial, stop.clone()).await,
                JobKind::Image => self.images(trial, stop.clone()).await,
            };
            stop.cancel();
            worked
        };
        let (worked, ()) = tokio::join!(worked, looked);
        worked
    }

    async fn records(&self, trial: bool, stop: CancellationToken) -> Result<(), Failure> {
        let Opened { sink, marker, notice, .. } = sink(&self.pipeline, &self.systems).await?;
        if let Some(notice) = notice {
            tracing::warn!("{notice}");
        }
        let keeper = marker
            .map(|marker| FileKeeper::new(self.meeting.state.clone(), self.pipeline.name.clone(), marker));
        let worker = Worker::new(
            self.pipeline.name.clone(),
            self.meeting.state.clone(),
            self.meeting.queue.clone(),
            sink,
            Arc::clone(&self.progress),
        );
        let breaker = if trial { Breaker::on_trial() } else { Breaker::default() };
        self.say(true);
        let worker = worker.in_fleet(self.heart.clone(), keeper, breaker, self.pipeline.takes_images());
        let (_sink, worked) = worker.run(stop).await;
        worked
    }

    async fn images(&self, trial: bool, stop: CancellationToken) -> Result<(), Failure> {
        let (SourceConfig::Zoho(entity), SinkConfig::Odoo(target)) =
            (&self.pipeline.source, &self.pipeline.sink)
        else {
            return Err(
                Failure::configuration(format!("{} has no images", self.pipeline.name)).advise(DEFECT)
            );
        };
        let source = ImageSource::Zoho(self.systems.zoho(&entity.server).await?);
        let images = OdooImages::new(&self.systems.odoo(&target.server).await?, &target.model);
        let cache = Arc::new(ImageCache::open(&self.image_folder, CACHE_BYTES)?);
        let worker = ImageWorker::new(
            self.pipeline.name.clone(),
            self.meeting.state.clone(),
            self.meeting.queue.clone(),
            source,
            images,
            Some(cache),
            ImageSettings::of(target),
        );
        let breaker = if trial { Breaker::on_trial() } else { Breaker::default() };
        self.say(true);
        worker.in_fleet(&self.heart, breaker, Arc::clone(&self.progress)).run(stop).await
    }

    /// Stops the session where a pause appears; ends the pause of a trial that goes well.
    async fn look(&self, mut trial: bool, stop: CancellationToken) {
        let (begun, before) = (Instant::now(), self.progress.settled());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let looked = if trial && (self.progress.settled() > before || begun.elapsed() > TRIAL) {
                let ended =
                    Pause::end_by_system(&self.meeting.state, &self.pipeline.name, self.own_scope()).await;
                if ended.is_ok() {
                    trial = false;
                    tracing::info!(lane = self.name(), "it works again");
                }
                ended
            } else {
                self.paused().await.map(|paused| {
                    let others = paused.filter(|(scope, _)| !trial || *scope != self.own_scope());
                    if let Some((_, pause)) = others {
                        tracing::info!(lane = self.name(), "paused: {}", pause.why);
                        stop.cancel();
                    }
                })
            };
            // The state's trouble shows in the work itself.
            if let Err(failure) = looked {
                tracing::debug!(lane = self.name(), "{failure:#}");
            }
        }
    }

    /// Says why it stopped: for the whole fleet where a system is sick.
    async fn stopped_by(&self, failure: &Failure) {
        let lane = self.name();
        if failure.reason != Reason::Locked {
            self.progress.meter().failed(self.kind, failure, 1);
        }
        match (failure.class, failure.reason) {
            (Class::Interrupted, _) => return,
            // Another worker has the file: this one stands by.
            (_, Reason::Locked) => {
                tracing::debug!(lane, "{failure:#}");
                return;
            }
            // The state or the broker: nobody could be told, and each worker sees it for itself.
            (Class::Transient, _) => {
                tracing::warn!(lane, "{failure:#}");
                return;
            }
            _ if failure.is_throttle() => tracing::warn!(lane, "waits: {failure:#}"),
            _ => tracing::error!(lane, reason = failure.reason.label(), "paused: {failure:#}"),
        }
        let paused =
            Pause::by_system(&self.meeting.state, &self.pipeline.name, self.own_scope(), failure).await;
        if let Err(failure) = paused {
            tracing::warn!(lane, "the pause could not be noted: {failure:#}");
        }
    }
}
