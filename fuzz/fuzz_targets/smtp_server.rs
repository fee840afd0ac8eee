#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| transports::fuzz_targets::smtp_server(data));
