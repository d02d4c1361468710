//! The collecting decoder: a YAML tree into the model, with every mistake reported and the rest still read.
//!
//! It knows kinds of values, not keys (those are in [`super::model`]) and not rules (those are in `validate`).

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::duration::{Duration, DurationError};
use super::findings::{Findings, Path};
use super::model::{Table, Type};
use super::source::{List, Map, Origin, Present, Spanned};
use crate::diagnostic::{Edit, code, nearest};
use crate::secret::Secret;
use crate::text::Span;
use crate::yaml::{Entries, Items, Node, Scalar, Shape, Value};

/// In a mapping with more keys than this, no key is guessed.
const KEYS_COMPARED: usize = 256;

/// The mistake is among the findings already; whoever sees this stays silent about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported;

/// A value and the key it stands under.
#[derive(Clone, Copy)]
pub(crate) struct Given<'n, 't> {
    /// The key, or the item itself in a list.
    pub(crate) key: Span,
    /// The value.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) shape: Shape<'n, 't>,
    /// Whether the text broke off inside of it, so that nothing can be said to be missing from it.
    pub(crate) truncated: bool,
}

impl<'n, 't> Given<'n, 't> {
    pub(crate) fn new(key: Span, node: Node<'n, 't>) -> Self {
        Self { key, span: node.span(), shape: node.shape(), truncated: node.is_truncated() }
    }

    /// A list item: where something is missing from it, its first key is pointed at.
    fn item(node: Node<'n, 't>) -> Self {
        let item = Self::new(node.span(), node);
        let key = match item.shape {
            Shape::Mapping(entries) => entries.iter().next().map_or(item.span, |(key, _)| key.span()),
            _ => item.span,
        };
        Self { key, ..item }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.shape, Shape::Scalar(Scalar { value: Value::Null, .. }))
    }
}

/// Whether a value that could not be read keeps its place in a list or map.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Scalars: what cannot be read is left out; null is left out of lists, and in maps it is the empty value, as in Go.
    Plain,
    /// Structs: the place is kept, so that nothing else (a default strategy) takes it; null is a mistake (Go panics on it, or drops it).
    Struct,
}

/// A kind of value in the model, each with its empty one, into which it is read.
pub(crate) trait Field: Default {
    /// What becomes of it in a list or map when it cannot be read.
    const KIND: Kind;

    /// Reads a value that is not null into this place, where nothing was read before. What cannot be read stays empty; a struct is
    /// [`blank`](Self::blank) then.
    fn read(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported>;

    /// Makes it the empty value at this place, about which validators stay silent.
    fn blank(&mut self, given: &Given<'_, '_>) {
        let _ = given;
    }

    /// Its type, as data.
    fn describe() -> Type;
}

/// A place in the model that can be read into, whatever its type: what keeps one reader of structs, lists and maps for all of them.
pub(crate) trait Slot {
    /// [`Field::read`].
    fn fill(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported>;

    /// [`Field::blank`].
    fn clear(&mut self, given: &Given<'_, '_>);
}

impl<T: Field> Slot for T {
    fn fill(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported> {
        self.read(given, path, findings)
    }

    fn clear(&mut self, given: &Given<'_, '_>) {
        self.blank(given);
    }
}

/// A list or a map that grows while it is read.
trait Places {
    /// A new place at the end, under a key if this is a map.
    fn add(&mut self, key: Spanned<String>) -> Option<&mut dyn Slot>;

    /// Takes the last place away again.
    fn withdraw(&mut self);
}

impl<T: Field> Places for Vec<T> {
    fn add(&mut self, _: Spanned<String>) -> Option<&mut dyn Slot> {
        self.push(T::default());
        self.last_mut().map(|place| place as &mut dyn Slot)
    }

    fn withdraw(&mut self) {
        self.pop();
    }
}

impl<T: Field> Places for Vec<(Spanned<String>, T)> {
    fn add(&mut self, key: Spanned<String>) -> Option<&mut dyn Slot> {
        self.push((key, T::default()));
        self.last_mut().map(|(_, place)| place as &mut dyn Slot)
    }

    fn withdraw(&mut self) {
        self.pop();
    }
}

/// A struct by the positions of its keys.
pub(crate) trait Slots {
    /// Where the value of the key at `position` of the struct's table goes.
    fn slot(&mut self, position: usize) -> Option<&mut dyn Slot>;

    /// Where it is written.
    fn origin_mut(&mut self) -> &mut Origin;
}

/// A scalar that decides by itself what it takes.
pub(crate) trait FromScalar: Sized + Default {
    /// What is accepted, in a message.
    const EXPECTED: &'static str;

    fn from_scalar(scalar: &Scalar<'_>) -> Result<Self, Fault>;

    fn describe() -> Type;
}

/// Why a scalar was not taken.
pub(crate) enum Fault {
    /// Another type.
    Type,
    /// Outside `min..=max`.
    Range {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
    },
    /// No duration, and why.
    Duration(DurationError),
}

impl FromScalar for String {
    const EXPECTED: &'static str = "text";

    fn from_scalar(scalar: &Scalar<'_>) -> Result<Self, Fault> {
        match scalar.value {
            Value::Misfit(_) => Err(Fault::Type),
            _ => Ok(scalar.text.to_owned()),
        }
    }

    fn describe() -> Type {
        Type::Text
    }
}

impl FromScalar for Secret {
    const EXPECTED: &'static str = "text";

    fn from_scalar(scalar: &Scalar<'_>) -> Result<Self, Fault> {
        String::from_scalar(scalar).map(Self::new)
    }

    fn describe() -> Type {
        Type::Secret
    }
}

impl FromScalar for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_scalar(scalar: &Scalar<'_>) -> Result<Self, Fault> {
        match scalar.value {
            Value::Bool(value) => Ok(value),
            // yaml.v3 takes the words of YAML 1.1 where a bool is asked for, quoted or not.
            Value::Text => match scalar.text {
                "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Ok(true),
                "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Ok(false),
                _ => Err(Fault::Type),
            },
            _ => Err(Fault::Type),
        }
    }

    fn describe() -> Type {
        Type::Bool
    }
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl FromScalar for $int {
            const EXPECTED: &'static str = "an integer";

            fn from_scalar(scalar: &Scalar<'_>) -> Result<Self, Fault> {
                let range = Fault::Range { min: i64::from(<$int>::MIN), max: i64::from(<$int>::MAX) };
                match scalar.value {
                    Value::Int(value) => Self::try_from(value).map_err(|_| range),
                    Value::Float(value) if value.is_nan() => Err(Fault::Type),
                    // yaml.v3 cuts the fraction off.
                    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, so out of range stays out")]
                    Value::Float(value) => Self::try_from(value as i128).map_err(|_| range),
                    _ => Err(Fault::Type),
                }
            }

            fn describe() -> Type {
                Type::Integer { min: i64::from(<$int>::MIN), max: i64::from(<$int>::MAX) }
            }
        }
    )*};
}
integers!(i32, i64);

impl FromScalar for Duration {
    const EXPECTED: &'static str = "a duration such as `30s`";

    fn from_scalar(scalar: &Scalar<'_>) -> Result<Self, Fault> {
        Self::parse(scalar.text).map_err(Fault::Duration)
    }

    fn describe() -> Type {
        Type::Duration
    }
}

impl<T: FromScalar> Field for Option<Spanned<T>> {
    const KIND: Kind = Kind::Plain;

    fn read(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported> {
        *self = Some(read_scalar(given, path, findings)?);
        Ok(())
    }

    fn describe() -> Type {
        T::describe()
    }
}

impl<T: FromScalar> Field for Spanned<T> {
    const KIND: Kind = Kind::Plain;

    fn read(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported> {
        *self = read_scalar(given, path, findings)?;
        Ok(())
    }

    fn blank(&mut self, given: &Given<'_, '_>) {
        self.span = given.span;
    }

    fn describe() -> Type {
        T::describe()
    }
}

impl<T: FromScalar> Field for Present<T> {
    const KIND: Kind = Kind::Plain;

    fn read(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported> {
        self.0 = Some(read_scalar(given, path, findings)?);
        Ok(())
    }

    fn describe() -> Type {
        T::describe()
    }
}

/// Reads a scalar and remembers its place.
pub(crate) fn read_scalar<T: FromScalar>(
    given: &Given<'_, '_>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) -> Result<Spanned<T>, Reported> {
    let Shape::Scalar(scalar) = given.shape else {
        return Err(wrong_type(given, T::EXPECTED, path, findings));
    };
    match T::from_scalar(&scalar) {
        Ok(value) => Ok(Spanned { value, span: given.span }),
        Err(fault) => Err(not_taken(&fault, &scalar, given, T::EXPECTED, path, findings)),
    }
}

fn not_taken(
    fault: &Fault,
    scalar: &Scalar<'_>,
    given: &Given<'_, '_>,
    expected: &'static str,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) -> Reported {
    match fault {
        Fault::Type => wrong_type(given, expected, path, findings),
        Fault::Range { min, max } => out_of_range(scalar, *min, *max, given.span, path, findings),
        Fault::Duration(error) => bad_duration(scalar, error, given.span, path, findings),
    }
}

impl<T: Field> Field for Option<Box<T>> {
    const KIND: Kind = T::KIND;

    fn read(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported> {
        let read = self.get_or_insert_default().read(given, path, findings);
        if read.is_err() && T::KIND == Kind::Plain {
            *self = None;
        }
        read
    }

    fn blank(&mut self, given: &Given<'_, '_>) {
        self.get_or_insert_default().blank(given);
    }

    fn describe() -> Type {
        T::describe()
    }
}

impl<T: Field> Field for List<T> {
    const KIND: Kind = Kind::Plain;

    fn read(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported> {
        let Shape::Sequence(nodes) = given.shape else {
            return Err(wrong_type(given, "a list", path, findings));
        };
        self.items.reserve_exact(nodes.iter().len());
        read_list(&mut self.items, T::KIND, nodes, path, findings);
        self.origin = Origin::new(given.key, given.span);
        Ok(())
    }

    fn describe() -> Type {
        Type::List(T::describe)
    }
}

fn read_list(places: &mut dyn Places, kind: Kind, nodes: Items<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    for (index, node) in nodes.iter().enumerate() {
        let item = Given::item(node);
        if !(item.is_null() && kind == Kind::Plain) {
            read_item(places, Spanned::default(), kind, &item, &path.index(index), findings);
        }
    }
}

impl<T: Field> Field for Map<T> {
    const KIND: Kind = Kind::Plain;

    fn read(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported> {
        let Shape::Mapping(nodes) = given.shape else {
            return Err(wrong_type(given, "a mapping", path, findings));
        };
        let mut entries: Vec<(Spanned<String>, T)> = Vec::with_capacity(nodes.iter().len());
        read_map(&mut entries, T::KIND, nodes, path, findings);
        *self = Self::new(entries, Origin::new(given.key, given.span));
        Ok(())
    }

    fn describe() -> Type {
        Type::Map(T::describe)
    }
}

fn read_map(places: &mut dyn Places, kind: Kind, nodes: Entries<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    for (key, node) in nodes.iter() {
        let Some(name) = key_text(key, path, findings) else { continue };
        let place = Spanned { value: name.to_owned(), span: key.span() };
        read_item(places, place, kind, &Given::new(key.span(), node), &path.key(name), findings);
    }
}

/// Reads an item of a list or the value of a map's key into a place of its own.
fn read_item(
    places: &mut dyn Places,
    key: Spanned<String>,
    kind: Kind,
    item: &Given<'_, '_>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) {
    let Some(place) = places.add(key) else { return };
    if item.is_null() {
        place.clear(item);
        if kind == Kind::Struct {
            findings.report(code::CONFIG_NULL_ENTRY, item.key, path, || {
                format!("{} has nothing in it; expected a mapping", path.last())
            });
        }
    } else if place.fill(item, path, findings).is_err() && kind == Kind::Plain {
        places.withdraw();
    }
}

/// Reads the value of a struct's key into its slot. Null leaves the slot as it is. A struct that cannot be read is
/// there all the same, so that nothing (no strategy, no default) is taken in its place.
pub(crate) fn read_slot(
    slot: &mut dyn Slot,
    given: &Given<'_, '_>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) -> Result<(), Reported> {
    if given.is_null() { Ok(()) } else { slot.fill(given, path, findings) }
}

/// Reads each key of a struct into its slot, and where it is written, with the keys that could not be read.
pub(crate) fn read_struct(
    slots: &mut dyn Slots,
    table: &'static Table,
    given: &Given<'_, '_>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) -> Result<(), Reported> {
    *slots.origin_mut() = Origin::blank(given.key, given.span);
    let entries = entries(given, path, findings)?;
    let mut origin = match given.truncated {
        false => Origin::new(given.key, given.span),
        true => Origin::blank(given.key, given.span),
    };
    for (key, node) in entries.iter() {
        let Some(name) = key_text(key, path, findings) else { continue };
        let given = Given::new(key.span(), node);
        let unread = match table.position(name) {
            Some(position) => {
                let slot = slots.slot(position);
                let read = slot.map_or(Ok(()), |slot| read_slot(slot, &given, &path.key(name), findings));
                (read.is_err() || given.truncated).then_some(position)
            }
            None => {
                unknown_key(name, key.span(), table, entries, path, findings).and_then(|meant| table.position(meant))
            }
        };
        if let Some(position) = unread {
            origin.mark_unread(position);
        }
    }
    *slots.origin_mut() = origin;
    Ok(())
}

/// The entries of a mapping that is to be a struct.
pub(crate) fn entries<'n, 't>(
    given: &Given<'n, 't>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) -> Result<Entries<'n, 't>, Reported> {
    match given.shape {
        Shape::Mapping(entries) => Ok(entries),
        _ => Err(wrong_type(given, "a mapping", path, findings)),
    }
}

/// The text of a key; `None` for what cannot be one (reported), and for null, which yaml.v3 passes over.
pub(crate) fn key_text<'n>(key: Node<'n, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Option<&'n str> {
    match key.shape() {
        Shape::Scalar(Scalar { value: Value::Null, .. }) | Shape::Bad => None,
        Shape::Scalar(scalar) => Some(scalar.text),
        Shape::Sequence(_) | Shape::Mapping(_) => {
            let given = Given::new(key.span(), key);
            findings.report(code::CONFIG_WRONG_TYPE, key.span(), path, || {
                format!("a key of {} is {}; expected text", path.last(), kind_word(&given))
            });
            None
        }
    }
}

/// Reports a key that the struct does not have. Gives the one that was surely meant, if it is not there as well.
pub(crate) fn unknown_key(
    name: &str,
    span: Span,
    table: &'static Table,
    present: Entries<'_, '_>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) -> Option<&'static str> {
    let meant = nearest(name, table.keys.iter().map(|key| key.name))
        // Looking at each entry for each entry takes long where there are many.
        .filter(|meant| present.iter().len() <= KEYS_COMPARED && present.get(meant).is_none());
    let draft = findings.draft(code::CONFIG_UNKNOWN_KEY, span, &path.key(name), || {
        let keys = table.keys.iter().map(|key| format!("`{}`", key.name)).collect::<Vec<_>>().join(", ");
        format!("`{}` is no key of {}; expected {keys}", shown(name), table.noun)
    });
    if let Some(draft) = draft {
        findings.push(match meant {
            Some(meant) => {
                let edit = Edit { span, replacement: meant.to_owned() };
                draft.fix(format!("did you mean `{meant}`?"), Vec::from([edit]), false)
            }
            None => draft,
        });
    }
    meant
}

/// Reports that something has another type. A shape that was reported before is left alone.
pub(crate) fn wrong_type(
    given: &Given<'_, '_>,
    expected: &'static str,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) -> Reported {
    if !matches!(given.shape, Shape::Bad) {
        findings.report(code::CONFIG_WRONG_TYPE, place_of(given), path, || {
            format!("{} is {}; expected {expected}", path.last(), kind_word(given))
        });
    }
    Reported
}

/// A long list or mapping is pointed at by its key.
fn place_of(given: &Given<'_, '_>) -> Span {
    match given.shape {
        Shape::Scalar(_) | Shape::Bad => given.span,
        Shape::Sequence(_) | Shape::Mapping(_) => given.key,
    }
}

fn kind_word(given: &Given<'_, '_>) -> String {
    match given.shape {
        Shape::Sequence(_) => "a list".into(),
        Shape::Mapping(_) => "a mapping".into(),
        Shape::Bad => "unreadable".into(),
        Shape::Scalar(scalar) => match scalar.value {
            Value::Null => "empty".into(),
            Value::Bool(value) => format!("the boolean {value}"),
            Value::Int(value) => format!("the number {value}"),
            Value::Float(_) => "a number with a fraction".into(),
            Value::Timestamp => "a timestamp".into(),
            Value::Text => "text".into(),
            Value::Misfit(tag) => format!("tagged `{tag}`, which its text does not fit"),
        },
    }
}

fn out_of_range(
    scalar: &Scalar<'_>,
    min: i64,
    max: i64,
    span: Span,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) -> Reported {
    findings.report(code::CONFIG_OUT_OF_RANGE, span, path, || {
        format!("{} is {}; expected {min} to {max}", path.last(), shown(scalar.text))
    });
    Reported
}

fn bad_duration(
    scalar: &Scalar<'_>,
    error: &DurationError,
    span: Span,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) -> Reported {
    let draft = findings.draft(code::CONFIG_BAD_DURATION, span, path, || match scalar.text {
        "" => format!("{} is empty: {error}", path.last()),
        text => format!("{} is `{}`: {error}", path.last(), shown(text)),
    });
    if let Some(draft) = draft {
        let whole = !scalar.text.is_empty() && scalar.text.bytes().all(|b| b.is_ascii_digit());
        findings.push(match (error, whole) {
            (DurationError::MissingUnit, true) => {
                let seconds = format!("{}s", scalar.text);
                let edits = Vec::from([Edit { span, replacement: seconds.clone() }]);
                draft.fix(format!("write `{seconds}`"), edits, false)
            }
            (DurationError::Overflow, _) => draft,
            _ => draft.help("write it like `30s`, `1m30s` or `500ms`"),
        });
    }
    Reported
}

/// A text of any length, as a message shows it: one line, at most 60 characters.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == 60 {
            out.push('…');
            break;
        }
        match c {
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{findings, findings_of_all};
    use crate::config::testing::{read, with};
    use crate::config::{Duration, Type};
    use alloc::format;
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn unknown_keys_are_told_with_the_key_that_is_meant() {
        assert_eq!(
            findings_of_all(
                "naem: x\ngroupRef: g\nbackends: []\nincomingAuth: {typ: anonymous}\noutgoingAuth: {source: inline}\n"
            ),
            [
                "config/missing-key  «» the configuration has no `aggregation`; expected how names of tools are kept apart, such as `{conflictResolution: prefix, …}`",
                "config/unknown-key /naem «naem» `naem` is no key of the configuration; expected `name`, `groupRef`, `backends`, `incomingAuth`, `outgoingAuth`, `aggregation`, `compositeTools`, `compositeToolRefs`, `operational`, `metadata`, `telemetry`, `audit`, `optimizer`, `codeMode`, `sessionStorage`, `rateLimiting`, `passthroughHeaders` {did you mean `name`?}",
                "backend/none /backends «backends» there are no backends; expected a list of at least one under `backends`",
                "config/unknown-key /incomingAuth/typ «typ» `typ` is no key of `incomingAuth`; expected `type`, `oidc`, `authz` {did you mean `type`?}",
            ]
        );
        assert_eq!(
            findings("banana: x"),
            [
                "config/unknown-key /banana «banana» `banana` is no key of the configuration; expected `name`, `groupRef`, `backends`, `incomingAuth`, `outgoingAuth`, `aggregation`, `compositeTools`, `compositeToolRefs`, `operational`, `metadata`, `telemetry`, `audit`, `optimizer`, `codeMode`, `sessionStorage`, `rateLimiting`, `passthroughHeaders`",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example', transport: sse, transprot: sse}
"
            ),
            [
                "config/unknown-key /backends/0/transprot «transprot» `transprot` is no key of a backend; expected `name`, `url`, `transport`, `type`, `caBundlePath`, `metadata`, `auth` [backend 0]",
            ]
        );
        assert_eq!(
            findings("incomingAuth: {type: anonymous, OIDC: {}}"),
            [
                "config/unknown-key /incomingAuth/OIDC «OIDC» `OIDC` is no key of `incomingAuth`; expected `type`, `oidc`, `authz` {did you mean `oidc`?}",
            ]
        );
        assert_eq!(
            findings(
                "
? [a]
: x
"
            ),
            ["config/wrong-type  «[a]» a key of the configuration is a list; expected text",]
        );
    }

    #[test]
    fn wrong_types_are_told_each_by_itself() {
        assert_eq!(
            findings("metadata: [a]"),
            ["config/wrong-type /metadata «metadata» `metadata` is a list; expected a mapping",]
        );
        assert_eq!(
            findings("metadata: {a: {}}"),
            ["config/wrong-type /metadata/a «a» `a` is a mapping; expected text",]
        );
        assert_eq!(
            findings("passthroughHeaders: X"),
            ["config/wrong-type /passthroughHeaders «X» `passthroughHeaders` is text; expected a list",]
        );
        assert_eq!(
            findings(
                "operational: {failureHandling: {unhealthyThreshold: many, circuitBreaker: {enabled: 1, timeout: [1s]}}}"
            ),
            [
                "config/wrong-type /operational/failureHandling/unhealthyThreshold «many» `unhealthyThreshold` is text; expected an integer",
                "config/wrong-type /operational/failureHandling/circuitBreaker/enabled «1» `enabled` is the number 1; expected true or false",
                "config/wrong-type /operational/failureHandling/circuitBreaker/timeout «timeout» `timeout` is a list; expected a duration such as `30s`",
            ]
        );
        assert_eq!(
            findings("sessionStorage: {provider: redis, address: r, db: 4294967296}"),
            [
                "config/out-of-range /sessionStorage/db «4294967296» `db` is 4294967296; expected -2147483648 to 2147483647",
            ]
        );
        assert_eq!(
            findings("codeMode: {stepLimit: 1e30}"),
            [
                "config/out-of-range /codeMode/stepLimit «1e30» `stepLimit` is 1e30; expected -9223372036854775808 to 9223372036854775807",
            ]
        );
        assert_eq!(
            findings("telemetry: {headers: {X: [s3cr3t]}}"),
            ["config/wrong-type /telemetry/headers/X «X» `X` is a list; expected text",]
        );
        assert_eq!(
            findings("name: !!int x"),
            ["config/wrong-type /name «x» `name` is tagged `!!int`, which its text does not fit; expected text",]
        );
        assert_eq!(
            findings("compositeTools: [{name: t, description: d, steps: [{id: a, tool: x, arguments: text}]}]"),
            [
                "composite/not-checked /compositeTools «compositeTools» templates in composite tools were not read, and of JSON Schemas only the outline; read as they are",
                "config/wrong-type /compositeTools/0/steps/0/arguments «text» `arguments` is text; expected a mapping",
            ]
        );
    }

    #[test]
    fn durations_are_told_with_the_unit_that_is_missing() {
        assert_eq!(
            findings("operational: {timeouts: {default: 30}}"),
            [
                "config/bad-duration /operational/timeouts/default «30» `default` is `30`: its unit is missing; expected `ns`, `us`, `ms`, `s`, `m` or `h` after the number {write `30s`}",
            ]
        );
        assert_eq!(
            findings("operational: {timeouts: {default: '30'}}"),
            [
                "config/bad-duration /operational/timeouts/default «'30'» `default` is `30`: its unit is missing; expected `ns`, `us`, `ms`, `s`, `m` or `h` after the number {write `30s`}",
            ]
        );
        assert_eq!(
            findings("operational: {timeouts: {default: 1.5}}"),
            [
                "config/bad-duration /operational/timeouts/default «1.5» `default` is `1.5`: its unit is missing; expected `ns`, `us`, `ms`, `s`, `m` or `h` after the number {write it like `30s`, `1m30s` or `500ms`}",
            ]
        );
        assert_eq!(
            findings("operational: {timeouts: {default: 3 days}}"),
            [
                "config/bad-duration /operational/timeouts/default «3 days» `default` is `3 days`: its unit is unknown; expected `ns`, `us`, `ms`, `s`, `m` or `h` after the number {write it like `30s`, `1m30s` or `500ms`}",
            ]
        );
        assert_eq!(
            findings("operational: {timeouts: {default: 1d}}"),
            [
                "config/bad-duration /operational/timeouts/default «1d» `default` is `1d`: its unit is unknown; expected `ns`, `us`, `ms`, `s`, `m` or `h` after the number {write it like `30s`, `1m30s` or `500ms`}",
            ]
        );
        assert_eq!(
            findings("operational: {timeouts: {default: ''}}"),
            [
                "config/bad-duration /operational/timeouts/default «''» `default` is empty: it is no number with a unit; expected something like `30s` {write it like `30s`, `1m30s` or `500ms`}",
            ]
        );
        assert_eq!(
            findings("operational: {timeouts: {default: 9999999h}}"),
            [
                "config/bad-duration /operational/timeouts/default «9999999h» `default` is `9999999h`: it is too long; expected at most about 292 years (2562047h)",
            ]
        );
    }

    #[test]
    fn scalars_are_as_lenient_as_in_go() {
        for (written, text) in [
            ("123", "123"),
            ("true", "true"),
            ("1.50", "1.50"),
            ("2026-01-02", "2026-01-02"),
            ("0x1F", "0x1F"),
            ("'~'", "~"),
            ("!!str null", "null"),
            ("\"a\\tb\"", "a\tb"),
        ] {
            let (config, findings) = read(&with(&format!("name: {written}\n")));
            assert_eq!((config.name.unwrap().value.as_str(), findings.len()), (text, 0), "{written}");
        }
        for (written, value) in [
            ("true", true),
            ("True", true),
            ("TRUE", true),
            ("yes", true),
            ("'on'", true),
            ("Y", true),
            ("\"n\"", false),
            ("Off", false),
            ("no", false),
            ("FALSE", false),
        ] {
            let (config, findings) = read(&with(&format!("telemetry: {{insecure: {written}}}\n")));
            let insecure = config.telemetry.unwrap().insecure.map(|flag| flag.value);
            let errors = findings.iter().filter(|finding| finding.severity() == crate::diagnostic::Severity::Error);
            assert_eq!((insecure, errors.count()), (Some(value), 0), "{written}");
        }
        for (written, value) in
            [("7", 7), ("7.9", 7), ("-7.9", -7), ("1e3", 1000), ("0b11", 3), ("0o17", 15), ("1_000", 1000)]
        {
            let (config, _) = read(&with(&format!("optimizer: {{maxToolsToReturn: {written}}}\n")));
            assert_eq!(config.optimizer.unwrap().max_tools_to_return.map(|n| n.value), Some(value), "{written}");
        }
        for written in ["'7'", ".nan", ".inf", "yes", "9223372036854775808"] {
            let (config, _) = read(&with(&format!("optimizer: {{maxToolsToReturn: {written}}}\n")));
            assert!(config.optimizer.unwrap().max_tools_to_return.is_none(), "{written}");
        }
    }

    #[test]
    fn null_leaves_things_as_they_are() {
        let text = "
operational: {timeouts: {default: ~, perWorkload: ~}, failureHandling:}
metadata: {a: ~, ~: b}
passthroughHeaders: [~]
telemetry: ~
outgoingAuth: {source: inline, default: ~, backends: }
";
        let (config, findings) = read(&with(text));
        assert!(findings.is_empty(), "{findings:?}");
        let operational = config.operational.unwrap();
        assert!(operational.timeouts.unwrap().default.is_none() && operational.failure_handling.is_none());
        assert_eq!(config.metadata.get("a").map(|value| value.value.as_str()), Some(""));
        assert_eq!((config.metadata.len(), config.passthrough_headers.len()), (1, 0));
        assert!(config.telemetry.is_none() && config.outgoing_auth.unwrap().default.is_none());
    }

    #[test]
    fn anchors_merge_keys_and_json_are_read() {
        let text = "
metadata: &m {k: v}
backends:
  - &a {name: a, url: 'https://a.example', transport: sse, metadata: *m}
  - {<<: *a, name: b}
";
        let (config, findings) = read(&with(text));
        assert!(findings.is_empty(), "{findings:?}");
        let second = &config.backends[1];
        assert_eq!((second.name.as_ref().unwrap().as_str(), second.metadata.get("k").unwrap().as_str()), ("b", "v"));
        let (config, _) = read(r#"{"name": "demo", "operational": {"timeouts": {"default": "1m30s"}}}"#);
        let default = config.operational.unwrap().timeouts.unwrap().default.unwrap();
        assert_eq!((default.value, default.value.to_string().as_str()), (Duration::from_secs(90), "1m30s"));
    }

    #[test]
    fn a_strategy_that_cannot_be_read_is_never_replaced_by_another() {
        use crate::config::Configured;
        let default = "default: {type: header_injection, headerInjection: {headerName: X, headerValueEnv: V}}";
        for own in ["text", "~", "[]", "{type: [unauthenticated]}", "{type: bearer}", "{}"] {
            let (config, _) =
                read(&with(&format!("outgoingAuth: {{source: inline, {default}, backends: {{a: {own}}}}}\n")));
            let configured = config.auth_of(&config.backends[0]);
            assert!(matches!(configured, Configured::Own(own) if own.strategy().is_none()), "{own}: {configured:?}");
        }
        let (config, _) = read(&with("outgoingAuth: {source: inline, default: text}\n"));
        let configured = config.auth_of(&config.backends[0]);
        assert!(matches!(configured, Configured::Default(default) if default.strategy().is_none()), "{configured:?}");
    }

    #[test]
    fn free_form_values_keep_their_kinds_and_have_a_limit() {
        use crate::config::{Any, limits};
        let text = "compositeTools: [{name: t, description: d, steps: [{id: a, tool: x, arguments: {n: 1, f: 1.5, b: yes, t: true, z: ~, l: [a], d: 2026-01-02}}]}]\n";
        let (config, _) = read(&with(text));
        let arguments = config.composite_tools[0].steps[0].arguments.0.clone().unwrap();
        let value = |key: &str| arguments.get(key).unwrap().value.clone();
        assert_eq!((value("n"), value("f"), value("b")), (Any::Int(1), Any::Float(1.5), Any::Text("yes".into())));
        assert_eq!((value("t"), value("z"), value("d")), (Any::Bool(true), Any::Null, Any::Text("2026-01-02".into())));
        assert_eq!(
            serde_json::to_string(&arguments.value).unwrap(),
            r#"{"b":"yes","d":"2026-01-02","f":1.5,"l":["a"],"n":1,"t":true,"z":null}"#
        );
        let many = format!(
            "compositeTools: [{{name: t, description: d, steps: [{{id: a, tool: x}}], parameters: {{type: object, x: [{}]}}}}]\n",
            "1,".repeat(limits::FREE_FORM_PARTS)
        );
        let (_, findings) = read(&with(&many));
        let finding =
            findings.iter().find(|finding| finding.code == crate::diagnostic::code::CONFIG_TOO_LARGE).unwrap();
        assert_eq!(finding.message, "free-form values have more than 100000 parts in all; expected fewer");
    }

    #[test]
    fn types_are_known_as_data() {
        use crate::config::decode::Field as _;
        assert!(matches!(crate::config::Time::describe(), Type::Duration));
        assert!(matches!(crate::config::Flag::describe(), Type::Bool));
    }
}
