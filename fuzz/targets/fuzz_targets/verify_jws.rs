#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cases::verify_jws_case(data));
