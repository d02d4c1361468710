//! Properties of CA bundles: what no edit of a PEM file may ever do.
//!
//! It makes no handshake; `rows.rs` does.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::Config;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use vmcp_core::diagnostic::{Diagnostic, File, Severity};
use vmcp_core::trust::{CaBundle, Fingerprint, Role, UnixTime};

const NAMES: [&str; 14] = [
    "ca",
    "ca-v1",
    "ca-no-bc",
    "ca-false",
    "ca-no-sign",
    "ca-client-only",
    "ca-critical",
    "ca-path0",
    "ca-rsa1024",
    "ca-ed25519",
    "intermediate",
    "server",
    "self",
    "self-ca",
];

fn pem(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/certificates").join(format!("{name}.pem"));
    std::fs::read_to_string(path).unwrap()
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}

fn anchors(bundle: Option<&CaBundle>) -> BTreeSet<Fingerprint> {
    let trusted = bundle.map(CaBundle::trusted).unwrap_or_default();
    trusted.iter().filter(|trusted| trusted.role == Role::Anchor).map(|trusted| trusted.fingerprint).collect()
}

/// A piece of a bundle.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(NAMES.as_slice()).prop_map(pem),
        1 => prop::sample::select(NAMES.as_slice()).prop_map(|name| pem(name).replace('\n', "\r\n")),
        1 => prop::sample::select(NAMES.as_slice()).prop_map(|name| pem(name).trim_end().to_owned()),
        1 => prop::sample::select(NAMES.as_slice()).prop_map(|name| pem(name).replace("CERTIFICATE", "X509 CERTIFICATE")),
        1 => prop::sample::select(NAMES.as_slice()).prop_map(|name| pem(name).lines().take(4).collect::<Vec<_>>().join("\n")),
        4 => damaged(),
        2 => scrap(),
    ]
}

/// A certificate some bytes of which are others.
fn damaged() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (prop::sample::select(NAMES.as_slice()), prop::collection::vec(change, 1..4)).prop_map(|(name, changes)| {
        let mut der = CertificateDer::from_pem_slice(pem(name).as_bytes()).unwrap().to_vec();
        for (at, byte) in changes {
            let at = at.index(der.len());
            der[at] = byte;
        }
        crate::pem::pem("CERTIFICATE", &der)
    })
}

/// Text that is no block by itself.
fn scrap() -> impl Strategy<Value = String> {
    prop::sample::select(
        [
            "# comment: with a colon\n",
            "\n",
            "text\n",
            "-----BEGIN CERTIFICATE-----\n",
            "-----END CERTIFICATE-----\n",
            "\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN ",
            "-----END ",
            "\u{feff}",
            "  ",
            "\t",
            "\r",
            "Proc-Type: 4,ENCRYPTED\n\n",
            "key: value\n",
            "YWJj\n",
            "====\n",
            "-----\n",
            "\0",
        ]
        .as_slice(),
    )
    .prop_map(str::to_owned)
}

/// Edits of a text at random places.
fn edited() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0_usize..40, piece(), 0_u8..6);
    (prop::collection::vec(piece(), 0..6), prop::collection::vec(edit, 0..4)).prop_map(|(pieces, edits)| {
        let mut file = pieces.concat().into_bytes();
        for (at, length, text, kind) in edits {
            let at = at.index(file.len() + 1);
            let end = (at + length).min(file.len());
            match kind {
                0 => drop(file.drain(at..end)),
                1 => drop(file.splice(at..end, text.bytes())),
                2 => drop(file.splice(at..at, text.bytes())),
                3 => drop(file.splice(at..at, [b'\n'])),
                4 => file.iter_mut().skip(at).take(1).for_each(|byte| *byte = byte.wrapping_add(128)),
                _ => file.truncate(end),
            }
        }
        file
    })
}

fn check_findings(file: &[u8], findings: &[Diagnostic]) -> Result<(), TestCaseError> {
    for finding in findings {
        let place = finding.place.as_ref().unwrap();
        prop_assert_eq!(&place.file, &File::Named("ca.crt".into()));
        prop_assert!(place.span.range().end <= file.len(), "{:?}", finding);
        prop_assert!(!finding.message.contains(['\n', '\r']) && !finding.message.ends_with('.'), "{:?}", finding);
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_text_panics_and_every_finding_points_into_the_file(file in edited()) {
        let (bundle, findings) = CaBundle::read("ca.crt", &file, now());
        check_findings(&file, &findings)?;
        let refused = findings.iter().any(|finding| finding.severity() == Severity::Error);
        prop_assert_eq!(bundle.is_none(), refused);
        for trusted in bundle.iter().flat_map(CaBundle::trusted) {
            let block = &file[trusted.origin.span.range()];
            prop_assert!(block.starts_with(b"-----BEGIN CERTIFICATE-----") && block.ends_with(b"-----END CERTIFICATE-----"));
            let line = 1 + file[..trusted.origin.span.range().start].iter().filter(|&&byte| byte == b'\n').count();
            prop_assert!(trusted.origin.line as usize >= line);
        }
    }

    #[test]
    fn bytes_of_any_kind_are_read(file in prop::collection::vec(any::<u8>(), 0..600)) {
        let (_, findings) = CaBundle::read("ca.crt", &file, now());
        check_findings(&file, &findings)?;
    }

    #[test]
    fn deleting_a_certificate_never_adds_an_anchor(
        names in prop::collection::vec(prop::sample::select(NAMES.as_slice()), 1..8),
        at in any::<prop::sample::Index>(),
    ) {
        let blocks: Vec<String> = names.iter().map(|name| pem(name)).collect();
        let gone = at.index(blocks.len());
        let fewer: String = blocks.iter().enumerate().filter(|&(i, _)| i != gone).map(|(_, block)| block.as_str()).collect();
        let (all, _) = CaBundle::read("ca.crt", blocks.concat().as_bytes(), now());
        let (rest, _) = CaBundle::read("ca.crt", fewer.as_bytes(), now());
        prop_assert!(anchors(rest.as_ref()).is_subset(&anchors(all.as_ref())));
    }

    #[test]
    fn damage_to_a_certificate_never_makes_an_anchor_of_a_pin(
        name in prop::sample::select(["ca-no-bc", "ca-false", "ca-no-sign", "ca-client-only", "ca-critical", "server", "self"].as_slice()),
        text in scrap(),
        at in any::<prop::sample::Index>(),
    ) {
        // Text may break the block or leave it alone; what it says of itself it cannot change.
        let mut file = pem(name);
        let at = at.index(file.len());
        file.insert_str(at, &text);
        let (bundle, _) = CaBundle::read("ca.crt", file.as_bytes(), now());
        prop_assert!(anchors(bundle.as_ref()).is_empty());
    }

    #[test]
    fn a_private_key_anywhere_refuses_the_bundle_and_is_not_echoed(
        before in prop::collection::vec(piece(), 0..4),
        after in prop::collection::vec(piece(), 0..4),
        kind in prop::sample::select(["", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH "].as_slice()),
        joined in any::<bool>(),
        end in any::<bool>(),
    ) {
        let line_end = if joined { "" } else { "\n" };
        let end = if end { format!("-----END {kind}PRIVATE KEY-----\n") } else { String::new() };
        let file = format!("{}{line_end}-----BEGIN {kind}PRIVATE KEY-----\nU0VDUkVUU0VDUkVU\n{end}{}", before.concat(), after.concat());
        let (bundle, findings) = CaBundle::read("ca.crt", file.as_bytes(), now());
        prop_assert!(bundle.is_none());
        prop_assert!(findings.iter().any(|finding| finding.code.id() == "trust/private-key"));
        let shown = format!("{findings:?}");
        prop_assert!(!shown.contains("U0VDUkVU"));
    }
}
