#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| transports::fuzz_targets::raw_message(data));
