//! Assembling a pool from the system's roots, beside rustls doing it from the same file.
//!
//! It makes no handshake.

use std::hint::black_box;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use vmcp_core::trust::{Pool, SystemRoots};

use crate::measure::{again, least, peak_kib, shown};

const FILE: &str = "/etc/ssl/certs/ca-certificates.crt";

pub(crate) fn all() -> Result<(), String> {
    println!("Trust: the system's roots from {FILE} to a pool that can verify\n");
    println!("{}", again(&["trust"])?);
    Ok(())
}

pub(crate) fn one() -> Result<(), String> {
    let Ok(bytes) = std::fs::read(FILE) else {
        println!("skipped: there is no {FILE} on this machine");
        return Ok(());
    };
    let ours = || Arc::new(Pool::new(Arc::new(SystemRoots::read([(FILE, bytes.as_slice())])), None));
    let anchors = ours().trusted().count();
    let peak = peak_kib();
    let theirs = || {
        let mut store = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&bytes).flatten() {
            let _ = store.add(certificate);
        }
        Arc::new(store)
    };
    let rustls_anchors = theirs().len();
    let (mine, reference) = (least(20, || black_box(ours())), least(20, || black_box(theirs())));
    println!("| | anchors | time | peak |\n|---|---:|---:|---:|");
    println!(
        "| vmcp (subject, dates, key, extensions, fingerprint of each) | {anchors} | {} | {} MiB |",
        shown(mine),
        peak / 1024
    );
    println!("| rustls RootCertStore (names and keys) | {rustls_anchors} | {} | |", shown(reference));
    Ok(())
}
