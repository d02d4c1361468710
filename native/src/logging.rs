//! Log lines on standard error: JSON with the Go program's keys (`time`, `level`, `msg`, then attributes), or text for a
//! person at a terminal.
//!
//! It decides nothing about what is logged and keeps no secrets out by itself: secrets never become attributes, because
//! their type shows none.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::{IsTerminal as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// Time of day, level, message, attributes.
    Text,
}

impl Format {
    /// JSON where a program reads, text at a terminal.
    #[must_use]
    pub fn of_standard_error() -> Self {
        if std::io::stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Escape sequences for a terminal.
    On,
    /// Plain.
    Off,
}

impl Colour {
    /// On at a terminal, unless `NO_COLOR` is set to anything (<https://no-color.org>).
    #[must_use]
    pub fn of_standard_error() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stderr().is_terminal() && !refused { Self::On } else { Self::Off }
    }
}

/// Sends all log events of this process to standard error from now on. Call once; later calls change nothing.
pub fn install(format: Format, colour: Colour, level: Level) {
    let lines = Lines { format, colour, level, write: |line: &[u8]| drop(std::io::stderr().lock().write_all(line)) };
    // A second installation fails, and the first one stays in force: that is what is promised.
    drop(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines)));
}

/// An error and its causes, on one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The layer that makes lines.
struct Lines<W> {
    format: Format,
    colour: Colour,
    level: Level,
    write: W,
}

impl<W> Lines<W> {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let limit = if metadata.target().starts_with("vmcp") { self.level } else { Level::WARN };
        *metadata.level() <= limit
    }
}

impl<S: Subscriber, W: Fn(&[u8]) + 'static> Layer<S> for Lines<W> {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut seen = Attributes::default();
        event.record(&mut seen);
        let level = *event.metadata().level();
        let now = SystemTime::now();
        let line = match self.format {
            Format::Json => json_line(now, level, &seen),
            Format::Text => text_line(now, level, &seen, self.colour),
        };
        (self.write)(line.as_bytes());
    }
}

/// What one event carries, in its order.
#[derive(Default)]
struct Attributes {
    message: String,
    others: Vec<(&'static str, serde_json::Value)>,
}

impl Attributes {
    fn put(&mut self, field: &Field, value: impl Into<serde_json::Value>) {
        self.others.push((field.name(), value.into()));
    }
}

impl Visit for Attributes {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" { self.message = text } else { self.put(field, text) }
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" { value.clone_into(&mut self.message) } else { self.put(field, value) }
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

fn json_line(now: SystemTime, level: Level, seen: &Attributes) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut line = format!(r#"{{"time":"{}","level":"{level}","msg":{}"#, rfc_3339(now), quoted(&seen.message));
    for (name, value) in &seen.others {
        line.push(',');
        line.push_str(&quoted(name));
        line.push(':');
        line.push_str(&value.to_string());
    }
    line.push_str("}\n");
    line
}

fn text_line(now: SystemTime, level: Level, seen: &Attributes, colour: Colour) -> String {
    let stamp = rfc_3339(now);
    let time = stamp.get(11..23).unwrap_or(&stamp);
    let (dim, tint, plain) = match (colour, level) {
        (Colour::Off, _) => ("", "", ""),
        (Colour::On, Level::ERROR) => ("\x1b[2m", "\x1b[31m", "\x1b[0m"),
        (Colour::On, Level::WARN) => ("\x1b[2m", "\x1b[33m", "\x1b[0m"),
        (Colour::On, Level::INFO) => ("\x1b[2m", "\x1b[32m", "\x1b[0m"),
        (Colour::On, _) => ("\x1b[2m", "\x1b[34m", "\x1b[0m"),
    };
    let mut line = format!("{dim}{time}{plain} {tint}{level:<5}{plain} {}", one_line(&seen.message));
    for (name, value) in &seen.others {
        let shown = match value {
            serde_json::Value::String(text) if plain_word(text) => text.clone(),
            other => other.to_string(),
        };
        // Writing to a `String` cannot fail.
        let _ = write!(line, " {dim}{name}={plain}{}", one_line(&shown));
    }
    line.push('\n');
    line
}

/// Backends choose some of these texts: no control character of theirs reaches a terminal.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

fn plain_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_./:@+,[]".contains(c))
}

/// Universal time with microseconds (RFC 3339): `2026-11-24T06:22:02.000123Z`.
#[must_use]
pub fn rfc_3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", since.subsec_micros())
}

/// Days since 1970-01-01 as year, month, day of the Gregorian calendar: years are counted from March, so that the leap
/// day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    fn logged(format: Format, level: Level, events: impl FnOnce()) -> String {
        let out = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&out);
        let lines = Lines {
            format,
            colour: Colour::Off,
            level,
            write: move |line: &[u8]| sink.lock().unwrap().extend_from_slice(line),
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), events);
        let bytes = out.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_has_the_keys_of_the_go_program() {
        let text = logged(Format::Json, Level::INFO, || {
            tracing::info!(address = %"127.0.0.1:4483", backends = 2, ready = true, "listening \"now\"\n");
            tracing::debug!("not wanted");
        });
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert_eq!(value["level"], "INFO");
        assert_eq!(value["msg"], "listening \"now\"\n");
        assert_eq!(value["address"], "127.0.0.1:4483");
        assert_eq!(value["backends"], 2);
        assert_eq!(value["ready"], true);
        assert!(value["time"].as_str().unwrap().ends_with('Z'));
        assert!(text.starts_with(r#"{"time":""#), "{text}");
    }

    #[test]
    fn a_text_line_is_one_line_without_control_characters() {
        let text = logged(Format::Text, Level::DEBUG, || {
            tracing::debug!(backend = "a", reason = "one\ntwo \x1b[31m", "gone");
        });
        assert!(text.ends_with(" DEBUG gone backend=a reason=\"one\\ntwo \\u001b[31m\"\n"), "{text}");
    }

    #[test]
    fn other_libraries_are_heard_only_when_they_warn() {
        let text = logged(Format::Json, Level::DEBUG, || {
            tracing::info!(target: "hyper", "chatter");
            tracing::warn!(target: "hyper", "trouble");
        });
        assert!(!text.contains("chatter") && text.contains("trouble"), "{text}");
    }

    #[test]
    fn a_secret_is_not_logged() {
        let secret = vmcp_core::secret::Secret::new("s3cr3t");
        let text = logged(Format::Json, Level::DEBUG, || tracing::info!(?secret, "have one"));
        assert!(text.contains("[secret]") && !text.contains("s3cr3t"), "{text}");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let at = |seconds, micros: u32| rfc_3339(UNIX_EPOCH + Duration::new(seconds, micros * 1000));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(at(951_782_400, 1), "2000-02-29T00:00:00.000001Z");
        assert_eq!(at(1_709_251_199, 999_999), "2024-02-29T23:59:59.999999Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000000Z");
    }
}
