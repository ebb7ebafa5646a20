//! The Zoho client against an organisation that limits, blocks, revokes and keeps odd images.

use std::time::Duration;

use sandbox::{ZohoChange, ZohoEndpoint, ZohoFault, ZohoFaultRule, ZohoImage, ZohoSandbox};
use shared::failure::{Class, Failure, Reason};
use shared::zoho::{Api, CallClass, Image, Kind, Page, Position, ZohoClient, ZohoConfig};

use crate::zoho_source::{config, organisation};

async fn page(client: &ZohoClient) -> Result<Page, Failure> {
    let first = Position::first(Api::Inventory, None);
    client.page(Api::Inventory, Kind::Items, &first, 200).await
}

#[tokio::test]
async fn expired_tokens_are_replaced_once_however_many_call() {
    let sandbox = organisation().await;
    let client = ZohoClient::connect(config(&sandbox)).await.unwrap();
    sandbox.control().expire_tokens();
    let calls = tokio::join!(page(&client), page(&client), page(&client), page(&client));
    for result in [calls.0, calls.1, calls.2, calls.3] {
        result.unwrap();
    }
    assert_eq!(sandbox.control().counts().token, 2);
}

#[tokio::test]
async fn revoked_refresh_token_and_wrong_secrets_are_told_apart() {
    let sandbox = organisation().await;
    let told = |config: ZohoConfig| async {
        let failure = ZohoClient::connect(config).await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
        failure.to_string()
    };
    let mut wrong = config(&sandbox);
    wrong.secret.client_id = "1000.WRONG".to_owned();
    assert!(told(wrong).await.contains("client id"));
    let mut wrong = config(&sandbox);
    wrong.secret.client_secret = "wrong".into();
    assert!(told(wrong).await.contains("client secret"));
    sandbox.control().set_revoked(true);
    assert!(told(config(&sandbox)).await.contains("refresh token"));
}

#[tokio::test]
async fn throttled_accounts_server_is_no_wrong_secret() {
    let sandbox = organisation().await;
    let rule = ZohoFaultRule::once(ZohoFault::AccessDenied).endpoint(ZohoEndpoint::Token);
    sandbox.control().fault(rule);
    let failure = ZohoClient::connect(config(&sandbox)).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Throttled, Reason::Throttled));
}

#[tokio::test]
async fn wrong_organisation_is_a_setting() {
    let sandbox = organisation().await;
    let mut wrong = config(&sandbox);
    wrong.organization_id = "1".to_owned();
    let client = ZohoClient::connect(wrong).await.unwrap();
    let failure = page(&client).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Configuration));
}

#[tokio::test]
async fn blocked_organisation_is_asked_once() {
    let sandbox = organisation().await;
    let control = sandbox.control();
    let client = ZohoClient::connect(config(&sandbox)).await.unwrap();
    control.block();
    for _ in 0..5 {
        let failure = page(&client).await.unwrap_err();
        assert_eq!(failure.class, Class::Throttled);
        assert!(failure.retry_after.unwrap() > Duration::from_mins(50), "{failure}");
    }
    assert_eq!(control.counts().api_calls(), 1);
}

#[tokio::test]
async fn calls_of_the_day_are_told_before_and_after_they_are_used_up() {
    let sandbox = organisation().await;
    let control = sandbox.control();
    let client = ZohoClient::connect(ZohoConfig { reserve_percent: 0, ..config(&sandbox) }).await.unwrap();
    control.set_calls_today(9_998);
    page(&client).await.unwrap();
    let day = client.limits().day.unwrap();
    assert_eq!((day.limit, day.remaining), (10_000, 1));
    page(&client).await.unwrap();
    let failure = page(&client).await.unwrap_err();
    assert_eq!(failure.class, Class::Throttled);
    assert_eq!(control.counts().list, 2, "a call that would be refused is not made");
    assert_eq!(control.counts().throttled, 0);
}

#[tokio::test]
async fn calls_of_the_day_that_others_use_up_are_refused_once_and_come_back_at_the_reset() {
    let sandbox = organisation().await;
    let control = sandbox.control();
    let client = ZohoClient::connect(config(&sandbox)).await.unwrap();
    page(&client).await.unwrap();
    let day = client.limits().day.unwrap();
    control.set_calls_today(10_000);
    let failure = page(&client).await.unwrap_err();
    assert_eq!(failure.class, Class::Throttled);
    let limits = client.limits();
    assert!(limits.daily);
    let early = limits.blocked_until.unwrap().duration_since(day.resets_at);
    assert!((0..=4).contains(&early.as_secs()), "blocked until the day ends: {early:?}");
    assert!(page(&client).await.is_err());
    assert_eq!(control.counts().list, 2);
}

#[tokio::test]
async fn never_more_calls_at_once_than_set() {
    let sandbox = organisation().await;
    let control = sandbox.control();
    control.set_limits(1_000, 5, 10_000);
    control.fault(ZohoFaultRule::once(ZohoFault::Delay { millis: 20 }).times(30));
    let client = ZohoClient::connect(config(&sandbox)).await.unwrap();
    let calls: Vec<_> = (0..30)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { page(&client).await.map(drop) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(control.counts().throttled, 0);
}

/// The first seeded item with an image, which from now on is of this kind.
async fn image_of(
    sandbox: &ZohoSandbox,
    kind: ZohoImage,
    change: impl FnOnce(&mut ZohoConfig),
) -> Result<Image, Failure> {
    let control = sandbox.control();
    let rows = control.items();
    let row =
        rows.iter().find(|row| row["image_document_id"].as_str().is_some_and(|id| !id.is_empty())).unwrap();
    let item = row["item_id"].as_str().unwrap().to_owned();
    control.apply(ZohoChange::ServeImage { item: item.clone(), kind }).unwrap();
    let mut config = config(sandbox);
    change(&mut config);
    let client = ZohoClient::connect(config).await.unwrap();
    client.image(&item, row["image_document_id"].as_str(), CallClass::Backfill).await
}

#[tokio::test]
async fn good_images_come_whole_whatever_they_are_called() {
    let sandbox = organisation().await;
    for kind in [
        ZohoImage::Jpeg,
        ZohoImage::Png,
        ZohoImage::Webp,
        ZohoImage::Gif,
        ZohoImage::Bmp,
        ZohoImage::WrongType,
        ZohoImage::Large,
        ZohoImage::Slow { millis: 50 },
    ] {
        let image = image_of(&sandbox, kind, |_| ()).await.unwrap();
        assert!(image.bytes.len() > 100, "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_no_image_is_never_taken_for_one() {
    let sandbox = organisation().await;
    for (kind, class) in [
        (ZohoImage::Missing, Class::Permanent),
        (ZohoImage::Empty, Class::Permanent),
        (ZohoImage::Html, Class::Permanent),
        (ZohoImage::Cut, Class::Transient),
    ] {
        let failure = image_of(&sandbox, kind, |_| ()).await.unwrap_err();
        assert_eq!(failure.class, class, "{kind:?}: {failure}");
    }
    image_of(&sandbox, ZohoImage::Json, |_| ()).await.unwrap_err();
    let small = |config: &mut ZohoConfig| config.max_image_bytes = 1 << 20;
    let failure = image_of(&sandbox, ZohoImage::Large, small).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::BadRecord));
    let hasty = |config: &mut ZohoConfig| config.image_timeout = Duration::from_millis(100);
    let slow = ZohoImage::Slow { millis: 60_000 };
    let failure = image_of(&sandbox, slow, hasty).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Timeout));
}

#[tokio::test]
async fn redirected_image_needs_a_permission_and_gets_no_token() {
    let sandbox = organisation().await;
    let host = sandbox.accounts_url().replace("http://127.0.0.1", "localhost");
    let failure = image_of(&sandbox, ZohoImage::Redirect, |_| ()).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Configuration);
    assert!(failure.to_string().contains(&host), "{failure}");
    let allowed = |config: &mut ZohoConfig| {
        config.redirect_hosts = vec![host.clone()];
        config.private_hosts = vec![host.clone()];
    };
    image_of(&sandbox, ZohoImage::Redirect, allowed).await.unwrap();
    assert_eq!(sandbox.control().counts().leaked_tokens, 0);
}
