//! Trust as real handshakes: what servers present, what bundles hold, and the verdict beside that of Go's `crypto/tls`.
//!
//! Each row names the verdict of Go (1.26, the same certificates); where ours differs, the row says why. With
//! `VMCP_TLS_ROWS=DIR` set, the rows are written out as files, so that another implementation can be asked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::handshake::{self, Failed, Server, connect};
use crate::mint::{
    self, HOST, Minted, RsaKey, ca, expired, fixture, fixture_key, not_yet, pem, self_signed, server, unknown_critical,
    with,
};
use rcgen::{
    BasicConstraints, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::HandshakeKind;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use vmcp_core::trust::{CaBundle, Pool, SystemRoots};

/// Whether a server is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Trusted,
    Refused,
}
use Verdict::{Refused, Trusted};

/// A server, a bundle, and what comes of it.
struct Row {
    id: &'static str,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    host: &'static str,
    bundle: Vec<u8>,
    system: Vec<u8>,
    go: Verdict,
    ours: Verdict,
    /// Part of what is said: the name of the anchor or the pin, or the reason.
    says: &'static str,
}

/// The same verdict as Go's.
fn row(id: &'static str, verdict: Verdict, says: &'static str, bundle: &[&Minted], chain: &[&Minted]) -> Row {
    let pems: String = bundle.iter().map(|minted| minted.pem()).collect();
    Row {
        id,
        chain: chain.iter().map(|minted| minted.certificate.clone()).collect(),
        key: chain[0].key(),
        host: HOST,
        bundle: pems.into_bytes(),
        system: Vec::new(),
        go: verdict,
        ours: verdict,
        says,
    }
}

impl Row {
    fn host(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    /// Go's verdict is another one.
    fn but_go(mut self, verdict: Verdict) -> Self {
        self.go = verdict;
        self
    }

    fn bundle(mut self, bundle: impl Into<Vec<u8>>) -> Self {
        self.bundle = bundle.into();
        self
    }

    fn system(mut self, system: impl Into<Vec<u8>>) -> Self {
        self.system = system.into();
        self
    }

    fn check(&self, failures: &mut Vec<String>) {
        self.write_out();
        let (bundle, _) = match self.bundle.as_slice() {
            [] => (None, Vec::new()),
            bundle => match CaBundle::read("ca.crt", bundle, handshake::now()) {
                (None, findings) => {
                    let messages: Vec<_> = findings.iter().map(|finding| finding.message.as_str()).collect();
                    return self.compare(Refused, &format!("bundle refused: {}", messages.join(" / ")), failures);
                }
                (bundle, findings) => (bundle, findings),
            },
        };
        let system = SystemRoots::read([("roots.pem", self.system.as_slice())]);
        let pool = Pool::new(Arc::new(system), bundle.map(Arc::new));
        let server = Server { chain: self.chain.clone(), key: self.key.clone_key(), versions: rustls::ALL_VERSIONS };
        match connect(&server, self.host, pool) {
            Ok(by) => self.compare(Trusted, &by.to_string(), failures),
            Err(Failed::Trust(error)) => self.compare(Refused, &error.to_string(), failures),
            Err(Failed::Other(error)) => self.compare(Refused, &format!("TLS: {error}"), failures),
        }
    }

    fn compare(&self, verdict: Verdict, says: &str, failures: &mut Vec<String>) {
        if verdict != self.ours || !says.contains(self.says) {
            failures.push(format!("{}: {verdict:?}, {says}\n    expected {:?}, {}", self.id, self.ours, self.says));
        }
    }

    fn write_out(&self) {
        let Some(directory) = std::env::var_os("VMCP_TLS_ROWS") else { return };
        let directory = std::path::Path::new(&directory).join(self.id.replace([' ', '/', ':'], "_"));
        std::fs::create_dir_all(&directory).unwrap();
        let chain: String = self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect();
        let PrivateKeyDer::Pkcs8(key) = &self.key else { panic!("fixtures are PKCS #8") };
        let write = |name: &str, bytes: &[u8]| std::fs::write(directory.join(name), bytes).unwrap();
        write("chain.pem", chain.as_bytes());
        write("key.pem", pem("PRIVATE KEY", key.secret_pkcs8_der()).as_bytes());
        write("bundle.pem", &self.bundle);
        write("system.pem", &self.system);
        write("host", self.host.as_bytes());
        write("go", format!("{:?}", self.go).as_bytes());
    }
}

fn check(rows: &[Row]) {
    let mut failures = Vec::new();
    for row in rows {
        row.check(&mut failures);
    }
    assert!(failures.is_empty(), "{} of {} rows:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

#[test]
fn a_private_ca_is_found_however_the_chain_is_sent() {
    let root = self_signed(ca("Root"));
    let upper = root.issue(ca("Upper"));
    let lower = upper.issue(ca("Lower"));
    let leaf = root.issue(server(&[HOST]));
    let deep = lower.issue(server(&[HOST]));
    let other = self_signed(ca("Other"));
    let anchor = "anchor \"CN=Root\" at ca.crt:1";
    let mut longer = vec![root.issue(ca("0"))];
    for step in 1..8 {
        longer.push(longer[step - 1].issue(ca(&step.to_string())));
    }
    longer.push(longer[7].issue(server(&[HOST])));
    let (six, eight): (Vec<_>, Vec<_>) = (longer[..6].iter().rev().collect(), longer.iter().rev().collect());
    let of_six = longer[5].issue(server(&[HOST]));
    check(&[
        row("a six intermediates", Trusted, anchor, &[&root], &[&[&of_six], &six[..]].concat()),
        row("a eight intermediates", Refused, "than are followed, which is 6", &[&root], &eight).but_go(Trusted),
        row("a CA and leaf", Trusted, anchor, &[&root], &[&leaf]),
        row("a intermediates sent", Trusted, anchor, &[&root], &[&deep, &lower, &upper]),
        row("a chain out of order", Trusted, anchor, &[&root], &[&deep, &upper, &lower]),
        row("a root sent too", Trusted, anchor, &[&root], &[&deep, &lower, &upper, &root]),
        row("a stranger sent too", Trusted, anchor, &[&root], &[&deep, &other, &lower, &upper]),
        row("a intermediate alone in bundle", Trusted, "anchor \"CN=Lower\"", &[&lower], &[&deep]),
        row(
            "a intermediate missing",
            Refused,
            "issued by \"Lower\", which is none of the 1 anchors",
            &[&root],
            &[&deep],
        ),
        row("a the leaf itself in bundle", Trusted, "pin \"CN=mcp.example\" at ca.crt:1", &[&leaf], &[&leaf]),
        row(
            "a wrong CA",
            Refused,
            "certificate is issued by \"Root\", which is none of the 1 anchors of ca.crt and 0 of the system",
            &[&other],
            &[&leaf],
        ),
        row("a no bundle", Refused, "which is none of the 0 anchors of the system", &[], &[&leaf]),
        row("a system roots alone", Trusted, "anchor of the system \"CN=Root\" at roots.pem:1", &[], &[&leaf])
            .system(root.pem()),
        row("a system roots beside a bundle", Trusted, "anchor of the system \"CN=Root\"", &[&other], &[&leaf])
            .system(root.pem()),
        row("a bundle beside system roots", Trusted, anchor, &[&root], &[&leaf]).system(other.pem()),
    ]);
}

#[test]
fn a_servers_own_certificate_is_a_pin_and_no_more() {
    let plain = self_signed(with(server(&[HOST]), |p| p.is_ca = IsCa::NoCa));
    let not_ca = self_signed(server(&[HOST]));
    let is_ca = self_signed(with(server(&[HOST]), |p| {
        p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        p.extended_key_usages.clear();
    }));
    let nameless = self_signed(with(server(&[HOST]), |p| p.subject_alt_names.clear()));
    // What plain path building over the bundle would take: a server that plays CA.
    let forged = not_ca.issue(server(&["bank.example"]));
    let forged_plain = plain.issue(server(&["bank.example"]));
    let twin = self_signed(server(&[HOST]));
    let root = self_signed(ca("Root"));
    let issued = root.issue(server(&[HOST]));
    let forged_issued = issued.issue(server(&["bank.example"]));
    let pinned = "pin \"CN=mcp.example\" at ca.crt:1";
    check(&[
        row("b self-signed, no BC", Trusted, pinned, &[&plain], &[&plain]),
        row("b self-signed, CA FALSE", Trusted, pinned, &[&not_ca], &[&not_ca]),
        row("b self-signed, CA TRUE", Trusted, pinned, &[&is_ca], &[&is_ca]),
        row("b self-signed, CN only", Refused, "no subject alternative name", &[&nameless], &[&nameless]),
        row(
            "b self-signed by another key",
            Refused,
            "certificate is self-signed (\"mcp.example\")",
            &[&twin],
            &[&not_ca],
        ),
        row(
            "b pin, other name",
            Refused,
            "certificate is for mcp.example; the backend is called as bank.example",
            &[&not_ca],
            &[&not_ca],
        )
        .host("bank.example"),
        row("b pin plays CA, CA FALSE", Refused, "ca.crt:1 holds only as a pin", &[&not_ca], &[&forged])
            .host("bank.example"),
        row("b pin plays CA, sent too", Refused, "", &[&not_ca], &[&forged, &not_ca]).host("bank.example"),
        row("b pin plays CA, no BC", Refused, "holds only as a pin", &[&plain], &[&forged_plain]).host("bank.example"),
        row("b issued pin plays CA", Refused, "holds only as a pin", &[&issued], &[&forged_issued])
            .host("bank.example"),
        row(
            "b issued leaf plays CA",
            Refused,
            "\"mcp.example\", which is no authority: its basic constraints",
            &[&root],
            &[&forged_issued, &issued],
        )
        .host("bank.example"),
        row("b pin in the system roots", Trusted, "pin of the system \"CN=mcp.example\"", &[], &[&not_ca])
            .system(not_ca.pem()),
        Row {
            chain: vec![fixture("self-v1")],
            key: fixture_key("self-v1"),
            ..row("b self-signed v1", Refused, "no subject alternative name", &[], &[&plain])
                .bundle(pem("CERTIFICATE", &fixture("self-v1")))
        },
    ]);
}

#[test]
fn keys_and_signatures_of_today_are_taken() {
    let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
    let mut rows = Vec::new();
    for (id, key) in [
        ("e RSA 2048", rsa(rcgen::RsaKeySize::_2048)),
        ("e RSA 4096", rsa(rcgen::RsaKeySize::_4096)),
        ("e P-256", mint::p256()),
        ("e P-384", KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap()),
        ("e P-521", KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap()),
        ("e Ed25519", KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap()),
    ] {
        let root = mint::self_signed_with_key(ca("Root"), key);
        let leaf_key = KeyPair::from_pem(&root.again(|_| {}).key_pem()).unwrap();
        let leaf = root.issue_with_key(server(&[HOST]), leaf_key);
        rows.push(row(id, Trusted, "anchor", &[&root], &[&leaf]));
    }
    let any = self_signed(ca("Any"));
    let files = |id, verdict, says, bundle: &str, leaf: &str| Row {
        chain: vec![fixture(leaf)],
        key: fixture_key(leaf),
        ..row(id, verdict, says, &[], &[&any]).bundle(pem("CERTIFICATE", &fixture(bundle)))
    };
    rows.push(files("e SHA-1", Refused, "signed with an algorithm that is not accepted", "ca-rsa2048", "server-sha1"));
    // Go refuses RSA under 1024 bits only; the TLS stack here verifies no signature under 2048.
    let weak =
        files("e RSA 1024 CA", Refused, "key that is not accepted (RSA 1024)", "ca-rsa1024", "server-below-rsa1024");
    rows.push(weak.but_go(Trusted));
    // The same key one step further down.
    let root = self_signed(ca("Root"));
    let between = root.vouch(ca("Test CA RSA 1024"), &RsaKey::of(&fixture("ca-rsa1024")));
    let leaf = "server-below-rsa1024";
    let says = "the intermediate certificate \"Test CA RSA 1024\", which has a key that is not accepted (RSA 1024)";
    let below = Row {
        chain: vec![fixture(leaf), between],
        key: fixture_key(leaf),
        ..row("e RSA 1024 intermediate", Refused, says, &[&root], &[&any])
    };
    rows.push(below.but_go(Trusted));
    rows.push(files("c v1 CA and leaf", Trusted, "anchor \"CN=Test CA v1\"", "ca-v1", "server-below-v1"));
    check(&rows);
}

#[test]
fn a_weak_server_key_is_refused_by_name() {
    // No TLS stack here serves with such a key, so the certificate is judged without a handshake.
    let (bundle, _) = CaBundle::read("ca.crt", pem("CERTIFICATE", &fixture("ca")).as_bytes(), handshake::now());
    let pool = Pool::new(Arc::default(), bundle.map(Arc::new));
    let name = HOST.try_into().unwrap();
    let judged = vmcp_native::verifier::trusted_by(&pool, &[fixture("server-rsa1024")], &name, handshake::now());
    let reason = judged.unwrap().unwrap_err().reason.to_string();
    assert_eq!(
        reason,
        "certificate's key is RSA 1024; expected RSA of 2048 to 8192 bits, ECDSA P-256, P-384 or P-521, or Ed25519"
    );
}

#[test]
fn bundles_are_read_where_go_reads_them() {
    let root = self_signed(ca("Root"));
    let leaf = root.issue(server(&[HOST]));
    let good = root.pem();
    let other = self_signed(ca("Other")).pem();
    let body = good.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let key = pem("PRIVATE KEY", root.key().secret_der());
    let read = |id, text: String| row(id, Trusted, "anchor \"CN=Root\"", &[], &[&leaf]).bundle(text);
    let not = |id, says, bytes: Vec<u8>| row(id, Refused, says, &[], &[&leaf]).bundle(bytes);
    let nothing = "file holds no certificate that can be used";
    let cut: String = other.lines().take(3).map(|line| format!("{line}\n")).collect();
    let bad_der = pem("CERTIFICATE", b"\x30\x03\x02\x01\x01");
    check(&[
        read("f text around", format!("subject=x\n# a comment: with a colon\n{good}the end\n")),
        read("f CRLF", good.replace('\n', "\r\n")),
        read("f no final newline", good.trim_end().to_owned()),
        read("f one line of base64", format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")),
        read("f spaces after the dashes", good.replace("-----\n", "----- \t\n")),
        read("f spaces in the base64", good.replacen("MII", "M I\tI", 1)),
        read("f twice", format!("{good}{good}")),
        read("f bad base64 before", format!("{}{good}", other.replacen("MII", "M!I", 1))),
        read("f bad DER before", format!("{bad_der}{good}")),
        read("f cut off before", format!("{cut}{good}")),
        read("f other block before", format!("{}{good}", pem("DH PARAMETERS", b"\x30\x00"))),
        read("f end without begin before", format!("-----END CERTIFICATE-----\n{good}")),
        read("f latin-1 comment", "comment \u{e9}\n".to_owned() + &good),
        not("f indented", nothing, good.lines().flat_map(|line| format!("  {line}\n").into_bytes()).collect()),
        not("f byte order mark", nothing, format!("\u{feff}{good}").into_bytes()),
        not("f junk before BEGIN", nothing, format!("junk {good}").into_bytes()),
        not("f TRUSTED label", nothing, good.replace("CERTIFICATE", "TRUSTED CERTIFICATE").into_bytes()),
        not("f X509 label", nothing, good.replace("CERTIFICATE", "X509 CERTIFICATE").into_bytes()),
        not("f headers", nothing, good.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1).into_bytes()),
        not("f DER", "file holds DER, not PEM", root.certificate.to_vec()),
        not("f no certificate", nothing, b"nothing here\n".to_vec()),
        not("f joined without a newline", nothing, format!("{}{good}", other.trim_end()).into_bytes()),
        not("f key alone", "a `PRIVATE KEY` block stands here", key.clone().into_bytes()),
        // A ConfigMap is no place for a key; Go passes over it in silence.
        not("f key before a certificate", "a `PRIVATE KEY` block stands here", format!("{key}{good}").into_bytes())
            .but_go(Trusted),
    ]);
}

#[test]
fn the_clock_is_asked_at_each_handshake() {
    let old_root = self_signed(with(ca("Root"), expired));
    let new_root = old_root.again(|p| *p = ca("Root"));
    let future_root = old_root.again(|p| {
        *p = ca("Root");
        not_yet(p);
    });
    let leaf = new_root.issue(server(&[HOST]));
    let old_leaf = new_root.issue(with(server(&[HOST]), expired));
    let future_leaf = new_root.issue(with(server(&[HOST]), not_yet));
    let old_pin = self_signed(with(server(&[HOST]), expired));
    let old_intermediate = new_root.issue(with(ca("Middle"), expired));
    let below_old = old_intermediate.issue(server(&[HOST]));
    check(&[
        row(
            "i expired CA",
            Refused,
            "anchor \"Root\" at ca.crt:1, which expired at 2002-01-01T00:00:00Z",
            &[&old_root],
            &[&leaf],
        ),
        row("i expired CA beside its successor", Trusted, "anchor \"CN=Root\"", &[&old_root, &new_root], &[&leaf]),
        row("i future CA", Refused, "which is not valid before 4000-01-01T00:00:00Z", &[&future_root], &[&leaf]),
        row("i expired leaf", Refused, "certificate expired at 2002-01-01T00:00:00Z", &[&new_root], &[&old_leaf]),
        row(
            "i future leaf",
            Refused,
            "certificate is not valid before 4000-01-01T00:00:00Z",
            &[&new_root],
            &[&future_leaf],
        ),
        row("i expired pin", Refused, "certificate expired at 2002-01-01T00:00:00Z", &[&old_pin], &[&old_pin]),
        row(
            "i expired intermediate",
            Refused,
            "intermediate certificate \"Middle\", which expired at 2002",
            &[&new_root],
            &[&below_old, &old_intermediate],
        ),
        row("i expired root of the system", Refused, "anchor \"Root\" at roots.pem:1, which expired", &[], &[&leaf])
            .system(old_root.pem()),
    ]);
}

#[test]
fn a_ca_must_be_one_in_every_word() {
    let issues = |params| {
        let root = self_signed(params);
        let leaf = root.issue(server(&[HOST]));
        (root, leaf)
    };
    let refused = |id, says, params| {
        let (root, leaf) = issues(params);
        row(id, Refused, says, &[&root], &[&leaf])
    };
    let root = self_signed(ca("Root"));
    let under = |id, verdict, says, params| {
        let middle = root.issue(params);
        let leaf = middle.issue(server(&[HOST]));
        row(id, verdict, says, &[&root], &[&leaf, &middle])
    };
    let limited = |limit| with(ca("Short"), |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(limit)));
    let (short, direct) = issues(limited(0));
    let middle = short.issue(ca("Middle"));
    let below = middle.issue(server(&[HOST]));
    let long = self_signed(limited(1));
    let long_middle = long.issue(ca("Middle"));
    let long_below = long_middle.issue(server(&[HOST]));
    let short_middle = root.issue(limited(0));
    let too_deep = short_middle.issue(ca("Deep"));
    let deep_leaf = too_deep.issue(server(&[HOST]));
    let renewed = root.again(|_| {});
    let impostor = self_signed(ca("Root"));
    let leaf = root.issue(server(&[HOST]));
    check(&[
        refused(
            "k CA without BC",
            "as a pin: it has no basic constraints",
            with(ca("No BC"), |p| p.is_ca = IsCa::NoCa),
        ),
        refused(
            "k CA FALSE",
            "as a pin: its basic constraints say",
            with(ca("False"), |p| p.is_ca = IsCa::ExplicitNoCa),
        ),
        refused(
            "k no keyCertSign",
            "as a pin: its key usage does not allow signing",
            with(ca("No sign"), |p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
        ),
        refused(
            "k EKU clientAuth CA",
            "as a pin: its extended key usage does not allow TLS servers",
            with(ca("Clients"), |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        ),
        refused("k CA unknown critical", "critical extension 1.2.3.4.5", with(ca("Critical"), unknown_critical)),
        row("k pathlen 0, direct", Trusted, "anchor \"CN=Short\"", &[&short], &[&direct]),
        row(
            "k pathlen 0, intermediate",
            Refused,
            "anchor \"Short\" at ca.crt:1, which allows at most 0 intermediate certificates below it; the chain has 1",
            &[&short],
            &[&below, &middle],
        ),
        row("k pathlen 1, intermediate", Trusted, "anchor \"CN=Short\"", &[&long], &[&long_below, &long_middle]),
        row(
            "k pathlen of an intermediate",
            Refused,
            "intermediate certificate \"Short\", which allows at most 0 intermediate certificates below it",
            &[&root],
            &[&deep_leaf, &too_deep, &short_middle],
        ),
        refused(
            "k name constraints",
            "name constraints",
            with(ca("Names"), |p| {
                p.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![GeneralSubtree::DnsName("other.example".into())],
                    excluded_subtrees: Vec::new(),
                });
            }),
        ),
        under("k intermediate", Trusted, "anchor \"CN=Root\"", ca("Middle")),
        under(
            "k intermediate without keyCertSign",
            Refused,
            "intermediate certificate \"Middle\", which is no authority: its key usage",
            with(ca("Middle"), |p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
        ),
        under(
            "k intermediate for any purpose",
            Trusted,
            "anchor \"CN=Root\"",
            with(ca("Middle"), |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]),
        ),
        under(
            "k intermediate for clients",
            Refused,
            "intermediate certificate \"Middle\", which is no authority: its extended key usage",
            with(ca("Middle"), |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        ),
        under(
            "k intermediate without BC",
            Refused,
            "intermediate certificate \"Middle\", which is no authority: it has no basic constraints",
            with(ca("Middle"), |p| p.is_ca = IsCa::NoCa),
        ),
        row(
            "k CA of the same name and another key",
            Refused,
            "did not sign it; was the CA renewed with another key?",
            &[&impostor],
            &[&leaf],
        ),
        row("k both CAs of one name", Trusted, "at ca.crt:", &[&impostor, &renewed], &[&leaf]),
    ]);
}

#[test]
fn a_servers_certificate_must_be_for_it() {
    let root = self_signed(ca("Root"));
    let served = |id, verdict, says, params| {
        let leaf = root.issue(params);
        row(id, verdict, says, &[&root], &[&leaf])
    };
    let anchor = "anchor \"CN=Root\"";
    check(&[
        served(
            "k leaf CA TRUE",
            Refused,
            "certificate is itself a CA (basic constraints `CA:TRUE`), issued by \"Root\"",
            with(server(&[HOST]), |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        )
        .but_go(Trusted),
        served(
            "k leaf for clients",
            Refused,
            "does not allow TLS servers",
            with(server(&[HOST]), |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        ),
        served(
            "k leaf for any purpose",
            Trusted,
            anchor,
            with(server(&[HOST]), |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]),
        ),
        served("k leaf without EKU", Trusted, anchor, with(server(&[HOST]), |p| p.extended_key_usages.clear())),
        served(
            "k leaf unknown critical",
            Refused,
            "critical extension 1.2.3.4.5",
            with(server(&[HOST]), unknown_critical),
        ),
        served(
            "d CN only",
            Refused,
            "no subject alternative name",
            with(server(&[HOST]), |p| p.subject_alt_names.clear()),
        ),
        served(
            "k wrong name",
            Refused,
            "certificate is for a.example and b.example; the backend is called as mcp.example",
            server(&["a.example", "b.example"]),
        ),
        served("k upper case", Trusted, anchor, server(&["MCP.Example"])),
        served("k wildcard", Trusted, anchor, server(&["*.example"])),
        served("k wildcard, two labels", Refused, "certificate is for *.example", server(&["*.example"]))
            .host("a.mcp.example"),
        served("k underscore", Trusted, anchor, server(&["my_mcp.example"])).host("my_mcp.example"),
        served("k dot after the host", Trusted, anchor, server(&[HOST])).host("mcp.example."),
        served("k dot after the name", Refused, "certificate is for mcp.example.", server(&["mcp.example."])),
        served("k address", Trusted, anchor, server(&["127.0.0.1"])).host("127.0.0.1"),
        served("k IPv6 address", Trusted, anchor, server(&["::1"])).host("::1"),
        served("k other address", Refused, "the backend is called as 127.0.0.1", server(&["127.0.0.2"]))
            .host("127.0.0.1"),
        served(
            "k address as a DNS name",
            Refused,
            "certificate is for 127.0.0.1; the backend is called as 127.0.0.1",
            with(server(&[HOST]), |p| {
                p.subject_alt_names = vec![rcgen::SanType::DnsName("127.0.0.1".try_into().unwrap())];
            }),
        )
        .host("127.0.0.1"),
        served("k name for an address", Refused, "the backend is called as 127.0.0.1", server(&[HOST]))
            .host("127.0.0.1"),
    ]);
}

#[test]
fn tls_1_2_and_1_3_each_alone_will_do() {
    let root = self_signed(ca("Root"));
    let leaf = root.issue(server(&[HOST]));
    const TLS_1_2: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    const TLS_1_3: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    for versions in [TLS_1_2, TLS_1_3] {
        let (bundle, _) = CaBundle::read("ca.crt", root.pem().as_bytes(), handshake::now());
        let pool = Pool::new(Arc::default(), bundle.map(Arc::new));
        let server = Server { chain: vec![leaf.certificate.clone()], key: leaf.key(), versions };
        connect(&server, HOST, pool).unwrap();
    }
}

#[test]
fn no_session_is_resumed_past_the_certificates() {
    let root = self_signed(ca("Root"));
    let leaf = root.issue(server(&[HOST]));
    let (bundle, _) = CaBundle::read("ca.crt", root.pem().as_bytes(), handshake::now());
    let config = vmcp_native::verifier::client_config(Arc::new(Pool::new(Arc::default(), bundle.map(Arc::new))));
    const TLS_1_2: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    const TLS_1_3: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    for versions in [TLS_1_2, TLS_1_3] {
        let server = Server { chain: vec![leaf.certificate.clone()], key: leaf.key(), versions };
        assert_eq!(handshake::second_handshake(&server, HOST, config.clone()), HandshakeKind::Full);
        // The same client with a memory would resume, so the test can fail.
        let mut remembers = (*config).clone();
        remembers.resumption = rustls::client::Resumption::in_memory_sessions(8);
        assert_eq!(handshake::second_handshake(&server, HOST, Arc::new(remembers)), HandshakeKind::Resumed);
    }
}

/// A server that answers with a `ServerHello` of its own making.
fn answer_with(version: [u8; 2], suite: [u8; 2]) -> Failed {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut header = [0; 5];
        socket.read_exact(&mut header).unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        socket.read_exact(&mut hello).unwrap();
        // RFC 5246 section 7.4.1.3: version, 32 random bytes, no session, suite, no compression, no extensions.
        let body = [&version[..], &[7; 32], &[0], &suite, &[0]].concat();
        let length = u8::try_from(body.len()).unwrap();
        let record = [&[22, 3, 3, 0, length + 4, 2, 0, 0, length], &body[..]].concat();
        socket.write_all(&record).unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let failed = handshake::client(TcpStream::connect(address).unwrap(), HOST, Pool::new(Arc::default(), None));
    serving.join().unwrap();
    failed.unwrap_err()
}

#[test]
fn tls_1_1_and_old_suites_are_refused() {
    const ECDHE_RSA_AES_128_CBC_SHA: [u8; 2] = [0xc0, 0x13];
    const RSA_AES_128_GCM_SHA256: [u8; 2] = [0x00, 0x9c];
    const ECDHE_RSA_AES_128_GCM_SHA256: [u8; 2] = [0xc0, 0x2f];
    for (version, suite, says) in [
        ([3, 2], ECDHE_RSA_AES_128_GCM_SHA256, "TLS"),
        ([3, 3], ECDHE_RSA_AES_128_CBC_SHA, "cipher"),
        ([3, 3], RSA_AES_128_GCM_SHA256, "cipher"),
    ] {
        let Failed::Other(error) = answer_with(version, suite) else { panic!("no certificate was sent") };
        assert!(error.to_lowercase().contains(&says.to_lowercase()), "{version:?} {suite:?}: {error}");
    }
}
