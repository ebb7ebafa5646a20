//! See `worker::fuzzing::json_last_sync`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worker::fuzzing::json_last_sync(bytes));
