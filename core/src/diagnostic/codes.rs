//! The table of codes: one line a code holds its name, severity, summary and explanation. A code is for ever.
//!
//! It says nothing about where a finding is; that is [`super::Diagnostic`].

use super::Severity;

/// The name of a kind of finding, `area/what`, with everything that is fixed about it.
#[derive(Clone, Copy)]
pub struct Code(&'static Entry);

struct Entry {
    id: &'static str,
    severity: Severity,
    summary: &'static str,
    explanation: &'static str,
}

impl Code {
    /// `area/what`, stable for ever.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.0.id
    }

    /// How bad every finding of this code is.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.0.severity
    }

    /// One line: what is wrong.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.0.summary
    }

    /// A paragraph for `vmcp explain`: why it matters and what to do.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        self.0.explanation
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}
impl Eq for Code {}
impl core::fmt::Debug for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.id())
    }
}
impl core::fmt::Display for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.id())
    }
}
impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// The code of this name.
#[must_use]
pub fn find(id: &str) -> Option<Code> {
    ALL.iter().copied().find(|code| code.id() == id)
}

macro_rules! codes {
    ($($constant:ident = $id:literal, $severity:ident, $summary:literal, $explanation:literal;)*) => {
        /// Every code, in the order of the table.
        pub const ALL: &[Code] = &[$(constants::$constant),*];

        pub(super) mod constants {
            use super::{Code, Entry, Severity};
            $(
                #[doc = $summary]
                pub const $constant: Code = Code(&Entry {
                    id: $id,
                    severity: Severity::$severity,
                    summary: $summary,
                    explanation: $explanation,
                });
            )*
        }
    };
}

codes! {
    // ---- yaml: the text is not what a YAML 1.1 reader takes ----
    SYNTAX = "yaml/syntax", Error, "the text is not YAML",
        "The text could not be read as YAML from this point on. Everything before it was still judged, so mend this and run again.";

    // ---- input: which document holds the configuration ----

    // ---- config: keys and values ----

    // ---- backend: entries of `backends` ----

    // ---- auth: incomingAuth and outgoingAuth ----

    // ---- aggregation ----

    // ---- operational: operational, telemetry, audit, rateLimiting, sessionStorage, optimizer, codeMode ----

    // ---- composite: compositeTools and compositeToolRefs ----

    // ---- trust: CA bundles and system roots ----
    PRIVATE_KEY = "trust/private-key", Error, "a CA bundle holds a private key",
        "A CA bundle is public: it is kept in a ConfigMap that many can read. A private key in it must be treated as known to all of them. The bundle is refused, and with it the backend, until the block is removed; replace the key as well.";
    EMPTY_BUNDLE = "trust/empty-bundle", Error, "a CA bundle holds no certificate that can be used",
        "The file was read, but no `CERTIFICATE` block in it could be used. Verifying the backend against the system roots alone would be something else than what was written, so the backend is refused.";
    BROKEN_BLOCK = "trust/broken-block", Warning, "text in a CA bundle looks like a block but is none",
        "PEM blocks begin and end on lines of their own, at the start of the line, with the same label in both. What looks like a block and is not is passed over, as Go does in silence; the certificate in it is then missing.";
    BLOCK_HEADERS = "trust/block-headers", Warning, "a certificate block has header lines",
        "Header lines such as `Proc-Type:` belong to encrypted keys. Go takes no certificate with headers, and neither does this program. Text before `BEGIN` is fine.";
    OTHER_BLOCK = "trust/other-block", Warning, "a block in a CA bundle is no `CERTIFICATE`",
        "Only blocks labelled `CERTIFICATE` are read. Certificate requests, parameters and revocation lists mean nothing here; `X509 CERTIFICATE` and `TRUSTED CERTIFICATE` are other formats that Go does not read either.";
    UNREADABLE_CERTIFICATE = "trust/unreadable-certificate", Warning, "a block holds no readable certificate",
        "The block is well formed, but what it holds is not an X.509 certificate as RFC 5280 defines it. It is passed over, as Go does in silence; the other certificates of the file count.";
    DUPLICATE_CERTIFICATE = "trust/duplicate-certificate", Note, "a certificate stands in a CA bundle more than once",
        "The very same certificate stands in the file earlier. It counts once; the second changes nothing and can be removed.";
    PINNED_CERTIFICATE = "trust/pinned-certificate", Note, "a certificate in a CA bundle is no CA",
        "A certificate that is no CA vouches for a server that presents exactly it (name, validity and purpose are still checked), and for nothing else. That is what is meant when a server's own certificate is put in the bundle; if its issuer was meant, put the issuer's certificate there.";
    USELESS_CERTIFICATE = "trust/useless-certificate", Warning, "a certificate in a CA bundle vouches for nothing",
        "It is no CA, so it vouches for no other certificate; and it has no subject alternative name, so no server that presents it can be verified either. Common names are not looked at.";
    NO_CERT_SIGN = "trust/no-cert-sign", Warning, "a CA's key usage does not allow signing certificates",
        "The certificate says that it is a CA, but its key usage extension lacks `keyCertSign` (RFC 5280 section 4.2.1.3). Go does not let it vouch for others, and neither does this program.";
    WRONG_PURPOSE = "trust/wrong-purpose", Warning, "a certificate in a CA bundle does not allow TLS servers",
        "Its extended key usage extension lists purposes, and serving TLS (`serverAuth`) is not among them. A CA's list binds everything below it, so no server can be verified with it.";
    UNKNOWN_CRITICAL_EXTENSION = "trust/unknown-critical-extension", Warning, "a certificate in a CA bundle has a critical extension that is not understood",
        "A critical extension must be understood or the certificate refused (RFC 5280 section 4.2). The certificate counts for nothing here, as in Go.";
    WEAK_KEY = "trust/weak-key", Warning, "a certificate in a CA bundle has a key that is not accepted",
        "Signatures of RSA keys under 2048 or over 8192 bits, of DSA, P-224 and unknown keys are not verified, so nothing that this certificate signed is trusted. Go still takes RSA of 1024 bits.";
    EXPIRED_CERTIFICATE = "trust/expired", Warning, "a certificate in a CA bundle has expired",
        "It vouches for nothing any more. Certificates are judged by the clock again at each handshake; a bundle may hold the old and the new CA side by side.";
    NOT_YET_VALID = "trust/not-yet-valid", Warning, "a certificate in a CA bundle is not valid yet",
        "It vouches for nothing until its time comes. Certificates are judged by the clock again at each handshake, so nothing has to be restarted then. If it should be valid now, look at the clock.";
    BUNDLE_FINDINGS_DROPPED = "trust/findings-dropped", Warning, "a CA bundle has more findings than are shown",
        "The number of findings that are kept of one file is limited. Mend the first ones and look again; a file like this is probably not a CA bundle.";
    NO_SYSTEM_ROOTS = "trust/no-system-roots", Warning, "no system roots were found",
        "Neither SSL_CERT_FILE and SSL_CERT_DIR nor the usual files and directories hold a certificate. Backends without a CA bundle of their own cannot be verified; the others are verified against their bundle alone. Install the package ca-certificates, or mount the roots.";
    SYSTEM_ROOTS_UNREADABLE = "trust/system-roots-unreadable", Warning, "a file of system roots could not be read",
        "A file or directory that should hold the system roots is there but could not be read. The other places were still looked at, as Go does in silence.";

    // ---- material: files and variables that the configuration needs ----

    // ---- pod: what a Deployment or Pod in the same input has or lacks ----

    // ---- runtime: keys that are read but not yet acted on ----
}
