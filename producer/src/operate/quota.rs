//! The calls of Zoho accounts: what is left of the day, and what it suffices for. Reads the state only.

use jiff::Timestamp;
use serde::Serialize;
use shared::config::{Config, Pipeline, SourceConfig, ZohoAccount};
use shared::failure::Failure;
use shared::state::State;
use shared::utc::in_utc;
use shared::zoho::{CallClass, Forecast, Limits, known_limits};

/// What is known of one account.
#[derive(Debug, Clone, Serialize)]
pub struct QuotaStatus {
    /// Name of its table.
    pub account: String,
    /// Calls of a day; `None`: no answer has told.
    pub limit: Option<u64>,
    /// Of these, those that are left.
    pub left: Option<u64>,
    /// When they are all there again.
    pub resets_at: Option<Timestamp>,
    /// Calls of a day that are left to other users of the organisation.
    pub reserve: Option<u64>,
    /// Zoho refuses calls until then.
    pub refused_until: Option<Timestamp>,
    /// Because those of the day are used up, not for too many in a minute.
    pub is_spent: bool,
    /// What the calls suffice for.
    pub forecast: Forecast,
    /// The same in words.
    pub text: String,
}

impl QuotaStatus {
    /// All accounts that were ever called or have something to do.
    ///
    /// # Errors
    /// The state's; an address in the configuration that is none.
    pub async fn all(state: &State, config: &Config) -> Result<Vec<Self>, Failure> {
        let mut all = Vec::new();
        for account in config.zoho.values() {
            all.extend(Self::of(state, account, &config.pipelines).await?);
        }
        Ok(all)
    }

    /// One account, where it was ever called or has something to do.
    ///
    /// # Errors
    /// As [`QuotaStatus::all`].
    pub async fn of(
        state: &State,
        account: &ZohoAccount,
        pipelines: &[Pipeline],
    ) -> Result<Option<Self>, Failure> {
        let limits = known_limits(state, &account.place()?).await?;
        let mut images = 0;
        for pipeline in pipelines.iter().filter(|pipeline| reads(pipeline, account)) {
            images += state.counts(&pipeline.name).await?.images.outstanding;
        }
        if images == 0 && limits == Limits::default() {
            return Ok(None);
        }
        let forecast = Forecast::of(images, &limits, account.reserve_percent(), account.calls_per_minute());
        let reserve = limits.day.map(|day| CallClass::List.floor(day.limit, account.reserve_percent()));
        let text = words(&limits, reserve, &forecast);
        Ok(Some(Self {
            account: account.name.clone(),
            limit: limits.day.map(|day| day.limit),
            left: limits.day.map(|day| day.remaining),
            resets_at: limits.day.map(|day| day.resets_at),
            reserve,
            refused_until: limits.blocked_until,
            is_spent: limits.daily,
            forecast,
            text,
        }))
    }
}

fn reads(pipeline: &Pipeline, account: &ZohoAccount) -> bool {
    matches!(&pipeline.source, SourceConfig::Zoho(entity) if entity.server == account.name)
}

fn words(limits: &Limits, reserve: Option<u64>, forecast: &Forecast) -> String {
    let mut parts = Vec::new();
    match (limits.blocked_until, limits.daily) {
        (Some(until), true) => {
            parts.push(format!("the calls of the day are used up until {}", in_utc(until)));
        }
        (Some(until), false) => parts.push(format!("Zoho refuses calls until {}", in_utc(until))),
        (None, _) => {}
    }
    if let Some(day) = limits.day {
        parts.push(format!(
            "{} of {} calls left until {}, {} of them for others",
            day.remaining,
            day.limit,
            in_utc(day.resets_at),
            reserve.unwrap_or(0).min(day.remaining)
        ));
    }
    parts.push(forecast.to_string());
    parts.join("; ")
}
