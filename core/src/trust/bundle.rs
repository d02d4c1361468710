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
                    "a byte order mark stands before `BEGIN {label}`, so its block is not read; expected it at the start of the file"
                ),
                Some("save the file as UTF-8 without a byte order mark"),
            ),
            Broken::NotAtLineStart(Before::Joined) => (
                item.marker,
                format!(
                    "`BEGIN {label}` stands on the line of an `END`, so both blocks are not read; expected each on its own line"
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
