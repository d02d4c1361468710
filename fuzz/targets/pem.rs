//! Any bytes as a CA bundle: reading must end without a panic, findings must point into the file, and what is trusted
//! must stand in it.
//!
//! Whether a certificate should be trusted is not judged here.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use vmcp_core::trust::{CaBundle, UnixTime};

fuzz_target!(|bytes: &[u8]| {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    let (bundle, findings) = CaBundle::read("ca.crt", bytes, now);
    for place in findings.iter().filter_map(|finding| finding.place.as_ref()) {
        assert!(bytes.get(place.span.range()).is_some(), "{:?} is no part of the file", place.span);
    }
    for trusted in bundle.iter().flat_map(CaBundle::trusted) {
        assert!(bytes.get(trusted.origin.span.range()).is_some_and(|block| block.starts_with(b"-----BEGIN")));
    }
});
