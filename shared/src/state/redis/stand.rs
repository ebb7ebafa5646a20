//! The Redis of the tests.

use std::time::Duration;

use super::RedisSettings;
use super::keys::Keys;
use super::link::{Link, PATIENCE};

/// Keys of its own in the Redis that all tests of the run share.
pub(super) fn settings() -> RedisSettings {
    RedisSettings {
        url: services::redis().url(),
        user: Some(services::USER.to_owned()),
        password: Some(services::PASSWORD.to_owned().into()),
        prefix: services::prefix(),
        timeout: Duration::from_secs(10),
    }
}

pub(super) async fn opened(settings: &RedisSettings) -> (Link, Keys) {
    (Link::open(settings, PATIENCE).await.unwrap(), Keys::new(&settings.prefix))
}
