//! What `vmcp inspect` shows to people: one line for each backend, then its particulars.
//!
//! It shows nothing that the JSON does not hold.

use std::fmt::Write;

use vmcp_core::auth::AuthSource;
use vmcp_core::trust::Rfc3339;

use super::super::Global;
use super::live::Catalog;
use super::{Anchor, Auth, Inspection, Refusal, Shown};
use crate::render::human::{self, Paint, shown};
use crate::render::table::{Table, columns};
use crate::render::{Judged, counted};

pub(super) fn draw(inspection: &Inspection<'_>, judged: &Judged, paint: Paint, global: &Global) -> String {
    let mut out = findings(judged, paint);
    let mut table = Table::new(columns!["NAME", "TYPE", "TRANSPORT", "AUTH", "TRUST", "URL"]);
    for backend in &inspection.backends {
        table.row([
            shown(backend.name),
            backend.kind.word().to_owned(),
            backend.transport.word().to_owned(),
            backend.auth.kind.to_owned(),
            trust_in_short(backend),
            shown(&backend.url),
        ]);
    }
    if !inspection.backends.is_empty() {
        out.push_str(&table.draw(paint));
        out.push('\n');
    }
    for backend in &inspection.backends {
        out.push_str(&particulars(backend, paint));
        out.push('\n');
    }
    if let Some(catalog) = &inspection.catalog {
        out.push_str(&live(catalog, paint));
        out.push('\n');
    }
    for refusal in &inspection.rejected {
        out.push_str(&rejected(refusal, paint));
        out.push('\n');
    }
    if !global.quiet {
        let served = counted(inspection.backends.len(), "backend");
        out.push_str(&format!(
            "{}: {served} can be called, {} rejected\n",
            shown(&judged.file),
            inspection.rejected.len()
        ));
        out.push_str(&paint.faint("`--format yaml` shows the configuration with every default\n"));
    }
    out
}

/// What clients would see, one line for each name, then what they would not.
fn live(catalog: &Catalog, paint: Paint) -> String {
    let mut table = Table::new(columns!["KIND", "NAME", "BACKEND", "THERE", "STATUS"]);
    for entry in &catalog.entries {
        let status = match &entry.hidden {
            Some(why) => format!("hidden by {why}"),
            None if entry.advertised == entry.original => "shown".to_owned(),
            None => "shown, renamed".to_owned(),
        };
        table.row([
            entry.kind.to_owned(),
            shown(&entry.advertised),
            shown(&entry.backend),
            shown(&entry.original),
            status,
        ]);
    }
    let mut out = if catalog.entries.is_empty() { String::new() } else { table.draw(paint) };
    for dropped in &catalog.dropped {
        let _ = writeln!(out, "left out: {}", shown(dropped));
    }
    for silent in &catalog.silent {
        let _ = writeln!(out, "backend `{}` did not answer: {}", shown(&silent.backend), shown(&silent.error));
    }
    out
}

pub(super) fn findings(judged: &Judged, paint: Paint) -> String {
    human::findings(judged, paint)
}

fn trust_in_short(backend: &Shown<'_>) -> String {
    if !backend.url.starts_with("https:") {
        return "no TLS".to_owned();
    }
    match backend.pool.bundle.len() {
        0 => "system".to_owned(),
        count => format!("system + {count}"),
    }
}

fn particulars(backend: &Shown<'_>, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(backend.name)));
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "  {} {value}", paint.faint(&format!("{name:9}")));
        }
    };
    line("url", &shown(&backend.url));
    line("group", &shown(backend.group.unwrap_or_default()));
    line("auth", &auth(&backend.auth));
    line("headers", &shown(&backend.headers.join(", ")));
    let metadata: Vec<String> = backend
        .metadata
        .iter()
        .filter(|(key, _)| *key != "group")
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    line("metadata", &shown(&metadata.join(", ")));
    if backend.url.starts_with("https:") {
        let system = counted(backend.pool.system_roots, "system root");
        match backend.pool.ca_bundle_path {
            Some(path) => line(
                "trust",
                &format!("{system}, and {} of {}", counted(backend.pool.bundle.len(), "certificate"), shown(path)),
            ),
            None => line("trust", &system),
        }
        for anchor in &backend.pool.bundle {
            out.push_str(&certificate(anchor, paint));
        }
    } else {
        line("trust", "none: spoken to without TLS");
    }
    out
}

fn auth(auth: &Auth<'_>) -> String {
    let mut out = auth.kind.to_owned();
    out.push_str(match auth.source {
        AuthSource::Inline => ", from `auth` of the backend",
        AuthSource::Own => ", from `outgoingAuth.backends`",
        AuthSource::Default => ", from `outgoingAuth.default`",
        AuthSource::None => "",
    });
    if let Some(header) = auth.header {
        out.push_str(&format!(": header {}", shown(header)));
    }
    if !auth.variables.is_empty() {
        out.push_str(&format!(" from ${}", shown(&auth.variables.join(", $"))));
    }
    out
}

fn certificate(anchor: &Anchor<'_>, paint: Paint) -> String {
    let trusted = anchor.trusted;
    let certificate = &trusted.certificate;
    let left = match anchor.days_left {
        ..0 => paint.bad("expired"),
        days => format!("{} left", counted(usize::try_from(days).unwrap_or_default(), "day")),
    };
    let head = format!("{} {}", trusted.role.word(), shown(&certificate.subject.to_string()));
    let issuer =
        if certificate.is_self_issued() { "itself".to_owned() } else { shown(&certificate.issuer.to_string()) };
    format!(
        "    {}\n      issued by {issuer}, serial {}, {}\n      {} to {}, {left}\n      SHA-256 {}, {}\n",
        paint.strong(&head),
        certificate.serial,
        certificate.key,
        Rfc3339(certificate.not_before),
        Rfc3339(certificate.not_after),
        trusted.fingerprint,
        shown(&trusted.origin.to_string()),
    )
}

fn rejected(refusal: &Refusal<'_>, paint: Paint) -> String {
    let mut out = format!("{} {}\n", paint.strong(&shown(refusal.name)), paint.bad("rejected"));
    for reason in &refusal.reasons {
        let place = match (reason.line, reason.column) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}: ", shown(reason.file)),
            _ => String::new(),
        };
        out.push_str(&format!("  {place}{} [{}]\n", shown(reason.message), reason.code));
    }
    out
}
