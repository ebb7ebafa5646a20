//! See `shared::fuzzing::zoho_token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shared::fuzzing::zoho_token(bytes));
