//! The configuration in the order in which Go writes it: keys of structs as they are declared, keys of maps sorted.
//!
//! It changes no value but `refillPeriod`, whose short form the Go program does not read. Keys that a struct does not have
//! are left out, as the API server would, unless they look like one that it has: that is for the decoder to tell.

use alloc::vec::Vec;

use crate::config::{Duration, Table, Type};
use crate::diagnostic::nearest;
use crate::order;
use crate::text::Span;
use crate::yaml::{Draft, Fields, Node, Shape};

/// A key that was left out: where it is written, itself, and what does not have it.
pub(super) type LeftOut = (Span, alloc::string::String, &'static Table);

/// A value of type `ty` in order. What does not fit the type stays as it is: the decoder tells it.
pub(super) fn canonical<'n, 't>(draft: Draft<'n, 't>, ty: Type, left: &mut Vec<LeftOut>) -> Draft<'n, 't> {
    match (ty, draft) {
        (ty @ (Type::Struct(_) | Type::Map(_) | Type::AnyMap | Type::Any | Type::List(_)), Draft::Node(node)) => {
            match opened(node) {
                Draft::Node(node) => Draft::Node(node),
                opened => canonical(opened, ty, left),
            }
        }
        (Type::Struct(table), Draft::Map(fields)) => Draft::Map(in_order(fields, table(), left)),
        (Type::Map(item), Draft::Map(fields)) => sorted(fields, item, left),
        (Type::AnyMap | Type::Any, Draft::Map(fields)) => sorted(fields, || Type::Any, left),
        (Type::List(item), Draft::List(span, items)) => list(span, items, item, left),
        (Type::Any, Draft::List(span, items)) => list(span, items, || Type::Any, left),
        (Type::Duration, Draft::Node(node)) => match node.text().map(Duration::parse) {
            Some(Ok(duration)) => Draft::text(node.span(), alloc::format!("{duration}")),
            _ => Draft::Node(node),
        },
        (_, draft) => draft,
    }
}

/// A list or map of another tree, so that its parts can be changed. One with keys that are no scalars stays closed.
pub(super) fn opened<'n, 't>(node: Node<'n, 't>) -> Draft<'n, 't> {
    match node.shape() {
        Shape::Sequence(items) => Draft::List(node.span(), items.iter().map(Draft::Node).collect()),
        Shape::Mapping(entries) if entries.iter().all(|(key, _)| key.text().is_some()) => {
            let mut fields = Fields::at(node.span());
            for (key, value) in entries.iter() {
                fields.put_at(key.text().unwrap_or_default(), key.span(), Draft::Node(value));
            }
            Draft::Map(fields)
        }
        _ => Draft::Node(node),
    }
}

fn list<'n, 't>(span: Span, items: Vec<Draft<'n, 't>>, item: fn() -> Type, left: &mut Vec<LeftOut>) -> Draft<'n, 't> {
    Draft::List(span, items.into_iter().map(|value| canonical(value, item(), left)).collect())
}

fn sorted<'n, 't>(fields: Fields<'n, 't>, item: fn() -> Type, left: &mut Vec<LeftOut>) -> Draft<'n, 't> {
    let mut out = Fields::at(fields.span());
    for (key, span, value) in fields.into_entries() {
        out.put_at(key, span, canonical(value, item(), left));
    }
    out.sort();
    Draft::Map(out)
}

/// Nulls are left out, as the operator never writes one.
fn in_order<'n, 't>(fields: Fields<'n, 't>, table: &'static Table, left: &mut Vec<LeftOut>) -> Fields<'n, 't> {
    let mut out = Fields::at(fields.span());
    let mut known = Vec::new();
    let mut unknown = Vec::new();
    for (key, span, value) in fields.into_entries() {
        if matches!(&value, Draft::Node(node) if node.is_null()) {
            continue;
        }
        match table.keys.iter().position(|known| known.name == key) {
            Some(position) => known.push((position, span, value)),
            None => unknown.push((key, span, value)),
        }
    }
    order::sort(&mut known, |(a, ..), (b, ..)| a.cmp(b));
    for (position, span, value) in known {
        let Some(key) = table.keys.get(position) else { continue };
        let value = match key.name {
            "refillPeriod" => refill(value, left),
            _ => canonical(value, (key.ty)(), left),
        };
        out.put_at(key.name, span, value);
    }
    for (key, span, value) in unknown {
        if nearest(&key, table.keys.iter().map(|known| known.name)).is_some() {
            out.put_at(key, span, value);
        } else {
            left.push((span, key.into_owned(), table));
        }
    }
    out
}

fn refill<'n, 't>(value: Draft<'n, 't>, left: &mut Vec<LeftOut>) -> Draft<'n, 't> {
    match canonical(value, Type::Duration, left) {
        text @ Draft::Text(..) => {
            let mut fields = Fields::at(text.span());
            fields.put("duration", text);
            Draft::Map(fields)
        }
        other => other,
    }
}
