//! A body, read chunk by chunk and never beyond its cap.

use reqwest::Response;

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It is longer than the cap, or says that it will be.
    TooLong,
    /// The connection failed.
    Broken(reqwest::Error),
}

/// Bytes that are made room for before they are there.
const ROOM_MAX: u64 = 1 << 20;

/// Reads the rest of `response`, at most `cap` bytes. `count` is told the length of each chunk as it arrives, also of the
/// one that is too much.
pub(crate) async fn read_capped(
    response: &mut Response,
    cap: u64,
    mut count: impl FnMut(u64),
) -> Result<Vec<u8>, BodyError> {
    let told = response.content_length();
    if told.is_some_and(|told| told > cap) {
        return Err(BodyError::TooLong);
    }
    // What a body says of its length is believed so far only.
    let room = told.unwrap_or(0).min(ROOM_MAX);
    let mut body = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Broken)? {
        count(chunk.len() as u64);
        if (body.len() + chunk.len()) as u64 > cap {
            return Err(BodyError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
