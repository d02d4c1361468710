//! `refillPeriod` in both shapes: `1m`, and `{duration: 1m0s}`, which is how Go's YAML library writes the Kubernetes type.
//!
//! It judges no length; that is the validators'.

use alloc::vec::Vec;

use super::decode::{Field, Given, Kind, Reported, entries, key_text, read_slot, unknown_key};
use super::emit::{Emitted, Tree};
use super::findings::{Findings, Path};
use super::model::{Emit as Written, Key, Table, Time, Type};
use crate::words::kept;
use crate::yaml::Shape;

/// A refill period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refill(pub Time);

static TABLE: Table = Table {
    name: "Refill",
    noun: "`refillPeriod`",
    doc: kept("Time in which a bucket fills from empty."),
    keys: &[Key {
        name: "duration",
        ty: <Time as Field>::describe,
        values: &[],
        default: None,
        doc: kept("The time."),
        required: false,
        emit: Written::Always,
    }],
};

impl Field for Refill {
    const KIND: Kind = Kind::Plain;

    fn read(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported> {
        if !matches!(given.shape, Shape::Mapping(_)) {
            return self.0.read(given, path, findings);
        }
        let mut period = Time::None;
        let entries = entries(given, path, findings)?;
        for (key, node) in entries.iter() {
            match key_text(key, path, findings) {
                None => {}
                Some("duration") => {
                    let given = Given::new(key.span(), node);
                    read_slot(&mut period, &given, &path.key("duration"), findings)?;
                }
                Some(name) => {
                    unknown_key(name, key.span(), &TABLE, entries, path, findings);
                }
            }
        }
        self.0 = period;
        Ok(())
    }

    fn describe() -> Type {
        Type::Duration
    }
}

impl Emitted for Refill {
    fn is_zero(&self) -> bool {
        Emitted::is_zero(&self.0)
    }

    fn tree(&self) -> Tree {
        Tree::Map(Vec::from([("duration".into(), self.0.tree())]))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::findings;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn both_shapes_are_read_and_others_are_told() {
        assert_eq!(findings("
sessionStorage: {provider: redis, address: r}
rateLimiting: {shared: {maxTokens: 1, refillPeriod: {duration: 1m, x: y}}, perUser: {maxTokens: 1, refillPeriod: [1m]}, tools: [{name: t, shared: {maxTokens: 1, refillPeriod: 60}}, {name: u, shared: {maxTokens: 1, refillPeriod: {}}}]}
"), [
            "config/unknown-key /rateLimiting/shared/refillPeriod/x «x» `x` is no key of `refillPeriod`; expected `duration`",
            "config/wrong-type /rateLimiting/perUser/refillPeriod «refillPeriod» `refillPeriod` is a list; expected a duration such as `30s`",
            "config/bad-duration /rateLimiting/tools/0/shared/refillPeriod «60» `refillPeriod` is `60`: its unit is missing; expected `ns`, `us`, `ms`, `s`, `m` or `h` after the number {write `60s`}",
            "config/missing-key /rateLimiting/tools/1/shared «shared» a rate-limit bucket has no `refillPeriod`; expected the time in which it fills, such as `1m`",
        ]);
    }
}
