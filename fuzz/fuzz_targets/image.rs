//! See `worker::fuzzing::image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worker::fuzzing::image(bytes));
