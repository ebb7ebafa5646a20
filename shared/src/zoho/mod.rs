//! The client of Zoho Inventory v1 and Zoho Books v3: tokens, lists, details, images, and what Zoho's answers mean. It knows
//! nothing of pipelines.
//!
//! Building a request ([`Request::url`]), judging an answer ([`Expected::classify`], [`read_token`]) and turning a page
//! ([`Position::turn`]) do no I/O.

mod answer;
#[cfg(test)]
mod answer_tests;
mod budget;
mod class;
mod client;
#[cfg(test)]
mod client_tests;
mod clock;
mod config;
mod counts;
mod data_center;
mod day;
#[cfg(test)]
mod download_tests;
mod entity;
mod forecast;
mod governor;
mod http;
mod image;
#[cfg(test)]
mod image_tests;
mod kind;
mod operations;
mod paging;
mod place;
mod quota;
mod redirect;
mod refusal;
mod request;
mod row;
mod seal;
mod session;
#[cfg(any(test, feature = "simulation"))]
mod simulation;
pub mod time;
mod token;
mod token_note;
#[cfg(test)]
mod token_tests;

pub use answer::{Answer, Expected};
pub use class::CallClass;
pub use client::ZohoClient;
pub use config::{ImageRoute, ZohoConfig, ZohoSecret};
pub use counts::CallCounts;
pub use data_center::{DataCenter, UnknownDataCenter};
pub use entity::{ContactType, ZohoEntity};
pub use forecast::Forecast;
pub use governor::known_limits;
pub use image::{Image, ImageFormat};
pub use kind::{Api, Kind};
pub use operations::Details;
pub use paging::{Distrust, Page, Position};
pub use place::Place;
pub use quota::{Limits, Quota};
pub use refusal::Refusal;
pub use request::{CallKind, Order, Request};
pub use row::{ImageReference, Row};
#[cfg(any(test, feature = "simulation"))]
pub use simulation::SimulatedTime;
pub use token::{Granted, Token, read_token};

/// For [`crate::fuzzing`].
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing {
    use super::{Answer, Expected, Image, ImageRoute, Refusal};

    pub(crate) fn read_image(expected: &Expected<'_>, answer: Answer) -> Result<Image, Refusal> {
        super::image::read_image(expected, answer, ImageRoute::Inventory)
    }
}
