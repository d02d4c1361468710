//! CA bundles and system roots: PEM files read into certificates, with everything found on the way.
//!
//! It judges what a file holds, not what a server presents; and it reads no file itself.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rustls_pki_types::UnixTime;

use super::certificate::{Certificate, NoAuthority};
use super::pem::{Before, Broken, Item, Scan};
use super::pool::{Added, Authority, Origin, Role, Source, Trusted};
use super::time::{Difference, Rfc3339};
use crate::config::limits;
use crate::diagnostic::{Diagnostic, File, Place, code};
use crate::text::Span;

/// One PEM file of certificates that a backend is verified against, beside the system roots.
pub struct CaBundle {
    path: Arc<str>,
    pub(super) authority: Authority,
}

impl CaBundle {
    /// Reads a bundle. `path` is what findings call the file; `now` decides which certificates are said to be expired (they
    /// are judged again at each handshake). The bundle is `None` when an error is among the findings: a private key stands
    /// in the file, or nothing in it can be used.
    ///
    /// Findings point into the file ([`File::Named`]) and have no scope of their own: whoever knows which backend asked for
    /// the file sets it.
    #[must_use]
    pub fn read(path: &str, file: &[u8], now: UnixTime) -> (Option<Self>, Vec<Diagnostic>) {
        let path: Arc<str> = path.into();
        let mut reading =
            Reading { path: path.clone(), scan: Scan::new(file), findings: Vec::new(), dropped: 0, private_key: false };
        let mut authority = Authority::default();
        for item in core::mem::take(&mut reading.scan.items) {
            reading.item(&item, &mut authority, now);
        }
        if reading.dropped > 0 {
            let message = format!("{} more findings in this file are not shown", reading.dropped);
            reading.findings.push(Diagnostic::new(code::BUNDLE_FINDINGS_DROPPED, message));
        }
        let usable = !authority.trusted().is_empty();
        if !usable && !reading.private_key {
            reading.nothing_usable(file);
        }
        let bundle = (usable && !reading.private_key).then_some(Self { path, authority });
        (bundle, reading.findings)
    }

    /// The path by which it was read.
    #[must_use]
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Its certificates in the order of the file, each once.
    #[must_use]
    pub fn trusted(&self) -> &[Trusted] {
        self.authority.trusted()
    }
}

impl fmt::Debug for CaBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaBundle({}: {:?})", self.path, self.authority)
    }
}

/// The certificates that the system trusts.
#[derive(Clone, Default)]
pub struct SystemRoots {
    pub(super) authority: Authority,
}

impl SystemRoots {
    /// Reads the files that a host found, in the order in which they count. As in Go, what is no certificate is passed over:
    /// these files are not the operator's to mend.
    #[must_use]
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut authority = Authority::default();
        for (path, file) in files {
            let path: Arc<str> = path.into();
            let mut scan = Scan::new(file);
            for item in core::mem::take(&mut scan.items) {
                if let Ok(content) = &item.content
                    && item.label == "CERTIFICATE"
                    && content.headers.is_none()
                    && let Ok(certificate) = Certificate::parse(&content.bytes)
                {
                    let line = scan.line(item.span.start);
                    let origin = Origin { source: Source::System, file: path.clone(), line, span: item.span };
                    // One that the path builder does not take is passed over like one that cannot be read.
                    let _ = authority.add(certificate, origin);
                }
            }
        }
        Self { authority }
    }

    /// In the order in which they were read, each once.
    #[must_use]
    pub fn trusted(&self) -> &[Trusted] {
        self.authority.trusted()
    }

    /// Whether no server can be verified against them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trusted().is_empty()
    }
}

impl fmt::Debug for SystemRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SystemRoots({:?})", self.authority)
    }
}

/// A bundle on its way.
struct Reading {
    path: Arc<str>,
    scan: Scan,
    findings: Vec<Diagnostic>,
    /// Findings beyond the limit.
    dropped: usize,
    private_key: bool,
}

impl Reading {
    fn item(&mut self, item: &Item, authority: &mut Authority, now: UnixTime) {
        if item.label.contains("PRIVATE KEY") {
            // Broken or not: a key that anybody who reads the bundle can read is no secret any more.
            if !self.private_key {
                let message =
                    format!("a `{}` block stands here; a CA bundle holds only `CERTIFICATE` blocks", item.label);
                let finding = Diagnostic::new(code::PRIVATE_KEY, message)
                    .help("remove the block; the key is readable to all who can read the bundle, so replace it");
                self.findings.push(finding.at_place(self.place(item.marker)));
            }
            self.private_key = true;
            return;
        }
        let content = match &item.content {
            Err(broken) => return self.broken(item, broken),
            Ok(content) => content,
        };
        if item.label != "CERTIFICATE" {
            let message =
                format!("block is `{}` and is not read; a CA bundle holds only `CERTIFICATE` blocks", item.label);
            let finding = Diagnostic::new(code::OTHER_BLOCK, message);
            return self.push(
                item.marker,
                match item.label.as_str() {
                    "X509 CERTIFICATE" => finding.help("write `CERTIFICATE` in both lines"),
                    "TRUSTED CERTIFICATE" => finding.help("convert it: openssl x509 -in FILE -out ca.crt"),
                    "PKCS7" => finding.help("convert it: openssl pkcs7 -in FILE -print_certs -out ca.crt"),
                    _ => finding,
                },
            );
        }
        if let Some(headers) = content.headers {
            let message =
                "block has header lines before its base64 and is not read; expected base64 right after `BEGIN`";
            return self.push(headers, Diagnostic::new(code::BLOCK_HEADERS, message).help("remove the header lines"));
        }
        let origin = Origin {
            source: Source::Bundle,
            file: self.path.clone(),
            line: self.scan.line(item.span.start),
            span: item.span,
        };
        let added = Certificate::parse(&content.bytes).and_then(|certificate| authority.add(certificate, origin));
        match added {
            Err(problem) => {
                let message = format!("block holds no X.509 certificate that can be used: {problem}");
                self.push(item.marker, Diagnostic::new(code::UNREADABLE_CERTIFICATE, message));
            }
            Ok(Added::Repeated(first)) => {
                let message = format!(
                    "certificate \"{}\" stands in line {} already; it counts once",
                    name(first),
                    first.origin.line
                );
                let place = self.place(first.origin.span);
                self.push(
                    item.marker,
                    Diagnostic::new(code::DUPLICATE_CERTIFICATE, message).related(place, "the first"),
                );
            }
            Ok(Added::New(trusted)) => self.certificate(item.marker, trusted, now),
        }
    }

    fn certificate(&mut self, marker: Span, trusted: &Trusted, now: UnixTime) {
        let certificate = &trusted.certificate;
        let name = name(trusted);
        if let Role::Pin(why) = &trusted.role {
            self.push(marker, pin(&name, certificate, why));
        }
        if !certificate.key.is_accepted() {
            let message = format!(
                "certificate \"{name}\" has the key {}; expected RSA of 2048 to 8192 bits, ECDSA P-256, P-384 or P-521, or Ed25519",
                certificate.key
            );
            self.push(marker, Diagnostic::new(code::WEAK_KEY, message));
        }
        let (not_before, not_after) = (certificate.not_before, certificate.not_after);
        if now > not_after {
            let message = format!(
                "certificate \"{name}\" expired at {}; it is now {}, {} later",
                Rfc3339(not_after),
                Rfc3339(now),
                Difference(not_after, now)
            );
            self.push(marker, Diagnostic::new(code::EXPIRED_CERTIFICATE, message));
        } else if now < not_before {
            let message = format!(
                "certificate \"{name}\" is not valid before {}; it is now {}, {} earlier",
                Rfc3339(not_before),
                Rfc3339(now),
                Difference(not_before, now)
            );
            self.push(marker, Diagnostic::new(code::NOT_YET_VALID, message));
        }
    }

    fn broken(&mut self, item: &Item, broken: &Broken) {
        let label = if item.label.is_empty() { "" } else { item.label.as_str() };
        let (span, what, help) = match broken {
            Broken::NotAtLineStart(Before::Indentation) => (
                item.marker,
                format!("`BEGIN {label}` is indented, so its block is not read; expected it at the start of a line"),
                Some("remove the indentation of the whole block"),
            ),
            Broken::NotAtLineStart(Before::ByteOrderMark) => (
                item.marker,
                format!(
                    "a byte order mark stands before `BEGIN {label}`, so its block is not read; expected it at the start of the line"
                ),
                Some("save the file as UTF-8 without a byte order mark"),
            ),
            Broken::Joined(span) => (
                *span,
                format!(
                    "`END {label}` and the `BEGIN` of the next block stand on one line, so both blocks are not read; expected each on its own line"
                ),
                Some("break the line between the two"),
            ),
            Broken::NotAtLineStart(Before::Text) => (
                item.marker,
                format!(
                    "text stands before `BEGIN {label}` on its line, so no block is read; expected it at the start of a line"
                ),
                None,
            ),
            Broken::BeginLine => (
                item.marker,
                format!("the line of `BEGIN {label}` does not end with `-----`, so its block is not read"),
                None,
            ),
            Broken::NoEnd => (item.marker, format!("`BEGIN {label}` has no `END` line; the block is cut off"), None),
            Broken::NoBegin => (item.marker, format!("`END {label}` has no `BEGIN` line"), None),
            Broken::EndLine(span) => (
                *span,
                format!("this line does not close the block; expected `-----END {label}-----` alone on it"),
                None,
            ),
            Broken::Base64(span) => (*span, "the block is not base64 from here on, so it is not read".into(), None),
            Broken::Headers => {
                (item.marker, "the block has header lines up to its `END` line, so it is not read".into(), None)
            }
        };
        let mut finding = Diagnostic::new(code::BROKEN_BLOCK, what);
        if let Some(help) = help {
            finding = finding.help(help);
        }
        self.push(span, finding);
    }

    fn nothing_usable(&mut self, file: &[u8]) {
        let (message, help) = match file {
            [] => ("file is empty; expected at least one `CERTIFICATE` block", None),
            [0x30, 0x80..=0x84, ..] => (
                "file holds DER, not PEM; expected at least one `CERTIFICATE` block",
                Some("convert it: openssl x509 -inform der -in FILE -out ca.crt"),
            ),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => (
                "file is UTF-16; expected ASCII or UTF-8 with at least one `CERTIFICATE` block",
                Some("save the file as UTF-8"),
            ),
            _ => ("file holds no certificate that can be used; expected at least one `CERTIFICATE` block", None),
        };
        let mut finding = Diagnostic::new(code::EMPTY_BUNDLE, message);
        if let Some(help) = help {
            finding = finding.help(help);
        }
        let place = self.place(Span::at(0));
        self.findings.push(finding.at_place(place));
    }

    fn push(&mut self, span: Span, finding: Diagnostic) {
        if self.findings.len() < limits::DIAGNOSTICS {
            let place = self.place(span);
            self.findings.push(finding.at_place(place));
        } else {
            self.dropped += 1;
        }
    }

    fn place(&self, span: Span) -> Place {
        Place { file: File::Named(self.path.clone()), span }
    }
}

/// Says that a certificate is a pin, or not even that.
fn pin(name: &str, certificate: &Certificate, why: &NoAuthority) -> Diagnostic {
    let use_is = "so it is only a pin: it vouches for a server that presents exactly it, and for no other";
    match why {
        NoAuthority::UnknownCritical(oid) => {
            let message = format!(
                "certificate \"{name}\" has the critical extension {oid}, which is not understood, so it vouches for nothing"
            );
            Diagnostic::new(code::UNKNOWN_CRITICAL_EXTENSION, message)
        }
        NoAuthority::Purpose => {
            let message = format!(
                "certificate \"{name}\" has an extended key usage without `serverAuth`, so it vouches for no server"
            );
            Diagnostic::new(code::WRONG_PURPOSE, message)
        }
        _ if certificate.names.is_empty() => {
            let message = format!(
                "certificate \"{name}\" vouches for nothing: {why}, and as a server's own it has no subject alternative name"
            );
            Diagnostic::new(code::USELESS_CERTIFICATE, message)
        }
        NoAuthority::KeyUsage => {
            let message = format!("certificate \"{name}\" is a CA whose key usage lacks `keyCertSign`, {use_is}");
            Diagnostic::new(code::NO_CERT_SIGN, message)
        }
        NoAuthority::NotCa | NoAuthority::NoBasicConstraints => {
            Diagnostic::new(code::PINNED_CERTIFICATE, format!("certificate \"{name}\" is no CA, {use_is}"))
        }
    }
}

fn name(trusted: &Trusted) -> String {
    trusted.certificate.subject.short()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use alloc::string::ToString;

    use super::*;
    use crate::diagnostic::Severity;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    macro_rules! pem {
        ($name:literal) => {
            include_str!(concat!("../../../tests/data/certificates/", $name, ".pem"))
        };
    }
    const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\nU0VDUkVU\n-----END EC PRIVATE KEY-----\n";

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    /// 2027-01-15T08:00:00Z
    fn now() -> UnixTime {
        at(1_800_000_000)
    }

    /// The findings of a file, each as `severity[code] line: message (help)`, and how many anchors and pins it has.
    fn read_at(file: &[u8], now: UnixTime) -> (Vec<String>, Option<(usize, usize)>) {
        let (bundle, findings) = CaBundle::read("ca.crt", file, now);
        let scan = Scan::new(file);
        let shown = findings.iter().map(|finding| {
            let place = finding.place.as_ref().unwrap();
            assert_eq!(place.file, File::Named("ca.crt".into()));
            let help = finding.help.as_ref().map(|help| format!(" ({})", help.text)).unwrap_or_default();
            let line = scan.line(place.span.start);
            format!("{}[{}] {line}: {}{help}", finding.severity().word(), finding.code.id(), finding.message)
        });
        let roles = bundle.map(|bundle| {
            let anchors = bundle.authority.anchor_count();
            (anchors, bundle.trusted().len() - anchors)
        });
        (shown.collect(), roles)
    }

    fn read(file: &str) -> (Vec<String>, Option<(usize, usize)>) {
        read_at(file.as_bytes(), now())
    }

    fn one(file: &str) -> String {
        let (mut findings, _) = read(file);
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.remove(0)
    }

    #[test]
    fn an_ordinary_bundle_has_no_findings() {
        let file = format!("# Acme: our CAs\n{}\n{}", pem!("ca"), pem!("ca-p521").replace('\n', "\r\n"));
        assert_eq!(read(&file), (Vec::new(), Some((2, 0))));
        let (bundle, _) = CaBundle::read("ca.crt", file.as_bytes(), now());
        let bundle = bundle.unwrap();
        let second = &bundle.trusted()[1];
        let line = 1 + file[..second.origin.span.range().start].lines().count();
        assert_eq!((second.origin.to_string(), &second.role), (format!("ca.crt:{line}"), &Role::Anchor));
        assert!(file[second.origin.span.range()].starts_with("-----BEGIN CERTIFICATE-----\r\n"));
        assert_eq!(format!("{bundle:?}"), "CaBundle(ca.crt: 2 anchors, 0 pins)");
        let json = serde_json::to_value(&bundle.trusted()[0]).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "role": "anchor", "source": "bundle", "file": "ca.crt", "line": 2,
                "subject": "CN=Acme Test CA,O=Acme", "issuer": "CN=Acme Test CA,O=Acme", "serial": "1000",
                "notBefore": "2020-01-01T00:00:00Z", "notAfter": "2120-01-01T00:00:00Z", "key": "ECDSA P-256",
                "sha256": include_str!("../../../tests/data/certificates/ca.sha256").trim(), "names": [],
            })
        );
    }

    #[test]
    fn a_private_key_refuses_the_bundle_and_is_not_shown() {
        let says = "error[trust/private-key] 1: a `EC PRIVATE KEY` block stands here; a CA bundle holds only `CERTIFICATE` \
                    blocks (remove the block; the key is readable to all who can read the bundle, so replace it)";
        assert_eq!(read(&format!("{KEY}{}", pem!("ca"))), ([says.to_string()].into(), None));
        // Broken, indented, or only its last line: still a key.
        let cut = KEY.lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
        assert_eq!(read(&format!("{cut}{}", pem!("ca"))), ([says.to_string()].into(), None));
        assert_eq!(read(&format!("  {cut}{}", pem!("ca"))), ([says.to_string()].into(), None));
        assert_eq!(read(&format!("{}{}", KEY.lines().next_back().unwrap(), "\n")), ([says.to_string()].into(), None));
    }

    #[test]
    fn a_bundle_without_anything_usable_is_refused() {
        let nothing = "error[trust/empty-bundle] 1: file holds no certificate that can be used; expected at least one \
                       `CERTIFICATE` block";
        assert_eq!(read("# nothing\n"), ([nothing.to_string()].into(), None));
        assert_eq!(one(""), "error[trust/empty-bundle] 1: file is empty; expected at least one `CERTIFICATE` block");
        let findings = |file: &[u8]| read_at(file, now()).0.join(" / ");
        assert_eq!(
            findings(&[0x30, 0x82, 1, 2]),
            "error[trust/empty-bundle] 1: file holds DER, not PEM; expected at least one `CERTIFICATE` block (convert it: \
             openssl x509 -inform der -in FILE -out ca.crt)"
        );
        assert_eq!(
            findings(&[0xff, 0xfe, b'-', 0]),
            "error[trust/empty-bundle] 1: file is UTF-16; expected ASCII or UTF-8 with at least one `CERTIFICATE` block \
             (save the file as UTF-8)"
        );
        let (findings, roles) = read(&pem!("ca").replace("CERTIFICATE", "TRUSTED CERTIFICATE"));
        assert_eq!(
            findings,
            [
                "warning[trust/other-block] 1: block is `TRUSTED CERTIFICATE` and is not read; a CA bundle holds only \
                 `CERTIFICATE` blocks (convert it: openssl x509 -in FILE -out ca.crt)",
                nothing
            ]
        );
        assert_eq!(roles, None);
    }

    #[test]
    fn what_is_passed_over_is_a_warning_while_something_is_usable() {
        let with = |text: &str| one(&format!("{text}{}", pem!("ca")));
        let other = pem!("ca-p521");
        assert_eq!(
            with("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
            "warning[trust/unreadable-certificate] 1: block holds no X.509 certificate that can be used: its signed part is \
             malformed"
        );
        assert_eq!(
            with("-----BEGIN DH PARAMETERS-----\nMAA=\n-----END DH PARAMETERS-----\n"),
            "warning[trust/other-block] 1: block is `DH PARAMETERS` and is not read; a CA bundle holds only `CERTIFICATE` \
             blocks"
        );
        assert_eq!(
            with(&other.replace("CERTIFICATE", "X509 CERTIFICATE")),
            "warning[trust/other-block] 1: block is `X509 CERTIFICATE` and is not read; a CA bundle holds only \
             `CERTIFICATE` blocks (write `CERTIFICATE` in both lines)"
        );
        assert_eq!(
            with(&other.replace("CERTIFICATE", "PKCS7")),
            "warning[trust/other-block] 1: block is `PKCS7` and is not read; a CA bundle holds only `CERTIFICATE` blocks \
             (convert it: openssl pkcs7 -in FILE -print_certs -out ca.crt)"
        );
        assert_eq!(
            with(&other.replacen("-----\n", "-----\nProc-Type: 4\n\n", 1)),
            "warning[trust/block-headers] 2: block has header lines before its base64 and is not read; expected base64 \
             right after `BEGIN` (remove the header lines)"
        );
        assert_eq!(
            with(&other.replacen("MII", "M!I", 1)),
            "warning[trust/broken-block] 2: the block is not base64 from here on, so it is not read"
        );
        assert_eq!(
            with("-----BEGIN CERTIFICATE-----\nMAA=\n"),
            "warning[trust/broken-block] 1: `BEGIN CERTIFICATE` has no `END` line; the block is cut off"
        );
        assert_eq!(
            with("-----END CERTIFICATE-----\n"),
            "warning[trust/broken-block] 1: `END CERTIFICATE` has no `BEGIN` line"
        );
        assert_eq!(
            with("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICAT-----\n"),
            "warning[trust/broken-block] 3: this line does not close the block; expected `-----END CERTIFICATE-----` alone \
             on it"
        );
        assert_eq!(
            with("-----BEGIN CERTIFICATE----\nMAA=\n-----END CERTIFICATE-----\n"),
            "warning[trust/broken-block] 1: the line of `BEGIN CERTIFICATE----` does not end with `-----`, so its block is \
             not read"
        );
        assert_eq!(
            with("-----BEGIN CERTIFICATE-----\na: b\n-----END CERTIFICATE-----\n"),
            "warning[trust/broken-block] 1: the block has header lines up to its `END` line, so it is not read"
        );
        let joined = with(&format!("{}{}", other.trim_end(), pem!("ca-ed25519")));
        assert_eq!(
            joined.replace(char::is_numeric, ""),
            "warning[trust/broken-block] : `END CERTIFICATE` and the `BEGIN` of the next block stand on one line, so both \
             blocks are not read; expected each on its own line (break the line between the two)"
        );
        assert_eq!(
            with("see -----BEGIN CERTIFICATE-----\n"),
            "warning[trust/broken-block] 1: text stands before `BEGIN CERTIFICATE` on its line, so no block is read; \
             expected it at the start of a line"
        );
        assert_eq!(
            with("  -----BEGIN CERTIFICATE-----\n  MAA=\n  -----END CERTIFICATE-----\n"),
            "warning[trust/broken-block] 1: `BEGIN CERTIFICATE` is indented, so its block is not read; expected it at the \
             start of a line (remove the indentation of the whole block)"
        );
        let (findings, roles) = read(&format!("\u{feff}{}{}", pem!("ca"), pem!("ca-p521")));
        assert_eq!(
            findings,
            [
                "warning[trust/broken-block] 1: a byte order mark stands before `BEGIN CERTIFICATE`, so its block is not read; \
              expected it at the start of the line (save the file as UTF-8 without a byte order mark)"
            ]
        );
        assert_eq!(roles, Some((1, 0)));
    }

    #[test]
    fn roles_are_said() {
        let pin = "so it is only a pin: it vouches for a server that presents exactly it, and for no other";
        for file in [pem!("self"), pem!("self-false"), pem!("server")] {
            let says = format!("note[trust/pinned-certificate] 1: certificate \"mcp.example\" is no CA, {pin}");
            assert_eq!(read(file), ([says].into(), Some((0, 1))));
        }
        assert_eq!(read(pem!("self-ca")), (Vec::new(), Some((1, 0))));
        assert_eq!(
            one(pem!("ca-no-sign")),
            format!(
                "warning[trust/no-cert-sign] 1: certificate \"Test CA without keyCertSign\" is a CA whose key usage lacks \
                 `keyCertSign`, {pin}"
            )
        );
        assert_eq!(
            one(pem!("ca-no-bc")),
            "warning[trust/useless-certificate] 1: certificate \"Test CA without BC\" vouches for nothing: it has no basic \
             constraints; a CA has `CA:TRUE`, and as a server's own it has no subject alternative name"
        );
        assert_eq!(
            one(pem!("ca-client-only")),
            "warning[trust/wrong-purpose] 1: certificate \"Test CA for clients\" has an extended key usage without \
             `serverAuth`, so it vouches for no server"
        );
        assert_eq!(
            one(pem!("ca-critical")),
            "warning[trust/unknown-critical-extension] 1: certificate \"Test CA critical\" has the critical extension \
             1.2.3.4.5, which is not understood, so it vouches for nothing"
        );
        assert_eq!(
            one(pem!("ca-rsa1024")),
            "warning[trust/weak-key] 1: certificate \"Test CA RSA 1024\" has the key RSA 1024; expected RSA of 2048 to 8192 \
             bits, ECDSA P-256, P-384 or P-521, or Ed25519"
        );
    }

    #[test]
    fn dates_and_duplicates_are_said_and_the_certificates_are_kept() {
        let file = format!("{}{}", pem!("ca"), pem!("ca"));
        let (bundle, findings) = CaBundle::read("ca.crt", file.as_bytes(), now());
        assert_eq!(bundle.unwrap().trusted().len(), 1);
        assert_eq!(findings[0].severity(), Severity::Note);
        assert_eq!(findings[0].message, "certificate \"Acme Test CA\" stands in line 1 already; it counts once");
        assert_eq!(findings[0].related[0].place.span.start, 0);
        assert_eq!(
            read_at(pem!("ca").as_bytes(), at(4_733_510_400 + 90_000)),
            (
                ["warning[trust/expired] 1: certificate \"Acme Test CA\" expired at 2120-01-01T00:00:00Z; it is now \
                  2120-01-02T01:00:00Z, 1 day later"
                    .to_string()]
                .into(),
                Some((1, 0))
            )
        );
        assert_eq!(
            read_at(pem!("ca").as_bytes(), at(1_577_836_800 - 60)).0,
            [
                "warning[trust/not-yet-valid] 1: certificate \"Acme Test CA\" is not valid before 2020-01-01T00:00:00Z; it is \
              now 2019-12-31T23:59:00Z, 1 minute earlier"
            ]
        );
    }

    #[test]
    fn a_file_of_nothing_but_mistakes_is_read_in_bounds() {
        let file = "-----BEGIN CERTIFICATE-----\n".repeat(5000);
        let (bundle, findings) = CaBundle::read("ca.crt", file.as_bytes(), now());
        assert!(bundle.is_none());
        assert_eq!(findings.len(), limits::DIAGNOSTICS + 2);
        let dropped = findings.iter().find(|finding| finding.code == code::BUNDLE_FINDINGS_DROPPED).unwrap();
        assert_eq!(dropped.message, "4000 more findings in this file are not shown");
    }

    #[test]
    fn system_roots_pass_over_what_they_cannot_use() {
        let first = format!("{KEY}{}{}", pem!("ca"), pem!("self"));
        let roots = SystemRoots::read([("a", first.as_bytes()), ("b", pem!("ca").as_bytes()), ("c", &b"\xff"[..])]);
        assert_eq!(format!("{roots:?}"), "SystemRoots(1 anchors, 1 pins)");
        assert_eq!(roots.trusted()[0].origin.to_string(), "a:4");
        assert!(!roots.is_empty() && SystemRoots::default().is_empty());
    }
}
