//! Rules of the lists of images: what is outstanding, what was changed, what the sink keeps.

use super::image::{ImageJob, bring, due, failed, far_off, image, image_job, kept};
use super::*;

pub(super) async fn outstanding_images_come_oldest_first_in_pages(store: impl Fixture) {
    let state = store.open().await;
    let mut expected = Vec::new();
    for id in [30, 4, 200, 1] {
        bring(&state, &begin(&state).await, id, 1, Some(1)).await;
        expected.push(id.to_string());
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = state.outstanding_images(&products(), after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.version);
        listed.extend(page.iter().map(|image| image.key.to_string()));
    }
    assert_eq!(listed, expected);
}

pub(super) async fn changed_images_are_listed_without_those_that_the_sink_never_had(store: impl Fixture) {
    let state = store.open().await;
    let changed = async |after, limit| -> Vec<(String, bool)> {
        let found = state.changed_images(&products(), after, limit).await.unwrap();
        found.iter().map(|image| (image.key.to_string(), image.is_change)).collect()
    };
    let change = |id: u64| (id.to_string(), true);
    for id in [5, 6, 7] {
        bring(&state, &begin(&state).await, id, 1, Some(1)).await;
        image_job(&state).await.settle(&state, Outcome::Created).await;
    }
    assert_eq!(changed(None, 10).await, []);
    // A backlog of a first load, older than what changes now.
    for id in 100..130 {
        bring(&state, &begin(&state).await, id, 1, Some(1)).await;
    }
    assert_eq!(changed(None, 10).await, []);
    for id in [7, 5, 6] {
        bring(&state, &begin(&state).await, id, 2, Some(2)).await;
    }
    assert_eq!(changed(None, 10).await, [7, 5, 6].map(change));
    let first = state.changed_images(&products(), None, 2).await.unwrap();
    assert_eq!(changed(Some(first[1].version), 10).await, [change(6)]);
    let all = state.outstanding_images(&products(), None, 100).await.unwrap();
    assert_eq!((all.len(), all.iter().filter(|image| image.is_change).count()), (33, 3));
    assert!(!all[0].is_change);
    // Held, tried later, brought, given up or not wanted any more: they are not listed, each in its own way.
    let [seven, five, six] = [0, 1, 2].map(|at| all[30 + at].clone());
    state.hold_images(&products(), &[(seven.key.clone(), seven.version)], far_off()).await.unwrap();
    assert_eq!(changed(None, 10).await, [5, 6].map(change));
    ImageJob(five.into_job(products())).settle(&state, Outcome::Updated).await;
    assert_eq!(changed(None, 10).await, [change(6)]);
    let failure = failed(Class::Transient, "late");
    state.retry_image(&products(), &six.key, six.version, far_off(), &failure).await.unwrap();
    assert_eq!(changed(None, 10).await, []);
    state
        .retry_image(&products(), &six.key, six.version, due(), &failed(Class::Transient, "later"))
        .await
        .unwrap();
    assert_eq!(changed(None, 10).await, [change(6)]);
    // Back to the image that the sink has.
    bring(&state, &begin(&state).await, 6, 3, Some(1)).await;
    assert_eq!(changed(None, 10).await, []);
    // What the sink has is not believed any more: it is like one that it never had.
    bring(&state, &begin(&state).await, 6, 4, Some(3)).await;
    assert_eq!(changed(None, 10).await, [change(6)]);
    state.forget_images(&products(), &[6.into()]).await.unwrap();
    assert_eq!(changed(None, 10).await, []);
}

pub(super) async fn what_the_sink_keeps_of_an_image_is_remembered_and_may_be_forgotten(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    let job = image_job(&state).await;
    job.settle(&state, Outcome::Created).await;
    let known = async || state.look(&products(), &job.0.key).await.unwrap().unwrap().known;
    let before = known().await;
    let kept_now = before.applied_image.as_ref().unwrap().written;
    assert_eq!(kept_now, Some(kept(&image(1))));
    assert!(state.outstanding_images(&products(), None, 9).await.unwrap().is_empty());
    // Looked at without being written: what is known of it stays.
    let ImageClaim { key, version, reference } = job.claim_of();
    let unseen =
        SettledImage { key, version, reference, hash: None, written: None, outcome: Outcome::Unchanged };
    state.settle_images(&products(), &[unseen]).await.unwrap();
    assert_eq!(known().await, before);

    for _ in 0..2 {
        let keys = [job.0.key.clone(), 77.into()];
        state.forget_images(&products(), &keys).await.unwrap();
        let outstanding = state.outstanding_images(&products(), None, 9).await.unwrap();
        assert_eq!(outstanding.len(), 1);
        assert_eq!((known().await.image_stage, known().await.applied_image), (Stage::Outstanding, None));
        assert_eq!(
            counts(&state).await.images,
            ImageCounts { wanted: 1, outstanding: 1, ..ImageCounts::default() }
        );
    }
    assert_eq!(job.claim(&state).await, ClaimedImage::Go { marks: 0, applied: None });
    job.settle(&state, Outcome::Updated).await;
    assert_eq!(known().await, before);
}
