//! Copies of few bytes, of a length that is known, as calls of functions that load and store them.
//!
//! Engines leave a module for each `memory.copy`, which takes longer than such a copy itself; and a call is the shorter
//! instruction. It changes nothing else: all bytes are loaded before the first is stored, so places may overlap.

use std::collections::HashMap;
use std::mem;

use walrus::ir::{
    Call, Const, ExtendedLoad, Instr, LoadKind, MemArg, MemoryCopy, StoreKind, Value, VisitorMut, dfs_pre_order_mut,
};
use walrus::{FunctionBuilder, FunctionId, LocalFunction, LocalId, MemoryId, Module, ValType};

/// Longer ones are worth leaving the module.
const MOST: i32 = 128;

/// Replaces every copy of at most [`MOST`] bytes in a module.
pub(crate) fn call_for_short_ones(module: &mut Module) {
    let all: Vec<FunctionId> = module.funcs.iter_local().map(|(id, _)| id).collect();
    let mut copiers = HashMap::new();
    for id in &all {
        for (memory, length) in lengths(module.funcs.get_mut(*id).kind.unwrap_local_mut()) {
            copiers.entry((memory, length)).or_insert_with(|| copier(module, memory, length));
        }
    }
    for id in all {
        let function = module.funcs.get_mut(id).kind.unwrap_local_mut();
        each_copy(function, |memory, length| Some(*copiers.get(&(memory, length))?));
    }
}

/// Memory and length of each copy of a known length.
fn lengths(function: &mut LocalFunction) -> Vec<(MemoryId, i32)> {
    let mut found = Vec::new();
    each_copy(function, |memory, length| {
        found.extend((1..=MOST).contains(&length).then_some((memory, length)));
        None
    });
    found
}

/// Asks for each copy of a known length within one memory which function shall do it.
fn each_copy(function: &mut LocalFunction, ask: impl FnMut(MemoryId, i32) -> Option<FunctionId>) {
    struct Copies<F>(F);
    impl<F: FnMut(MemoryId, i32) -> Option<FunctionId>> VisitorMut for Copies<F> {
        fn start_instr_seq_mut(&mut self, sequence: &mut walrus::ir::InstrSeq) {
            let mut rest = mem::take(&mut sequence.instrs).into_iter().peekable();
            while let Some((instruction, place)) = rest.next() {
                let copy = match (&instruction, rest.peek()) {
                    (
                        Instr::Const(Const { value: Value::I32(length) }),
                        Some((Instr::MemoryCopy(MemoryCopy { src, dst }), _)),
                    ) if src == dst => (self.0)(*src, *length),
                    _ => None,
                };
                match copy {
                    Some(func) => {
                        rest.next();
                        sequence.instrs.push((Instr::Call(Call { func }), place));
                    }
                    None => sequence.instrs.push((instruction, place)),
                }
            }
        }
    }
    let entry = function.entry_block();
    dfs_pre_order_mut(&mut Copies(ask), function, entry);
}

/// A function that takes where to and where from.
fn copier(module: &mut Module, memory: MemoryId, length: i32) -> FunctionId {
    let (to, from) = (module.locals.add(ValType::I32), module.locals.add(ValType::I32));
    let mut function = FunctionBuilder::new(&mut module.types, &[ValType::I32, ValType::I32], &[]);
    let parts: Vec<(u64, Part, LocalId)> =
        parts(length).into_iter().map(|(offset, part)| (offset, part, module.locals.add(part.kind()))).collect();
    let mut body = function.func_body();
    for (offset, part, value) in &parts {
        body.local_get(from).load(memory, part.load(), at(*offset)).local_set(*value);
    }
    for (offset, part, value) in &parts {
        body.local_get(to).local_get(*value).store(memory, part.store(), at(*offset));
    }
    function.finish(vec![to, from], &mut module.funcs)
}

/// Nothing is said of how addresses are aligned.
fn at(offset: u64) -> MemArg {
    MemArg { align: 1, offset }
}

/// So many bytes, the largest parts first.
fn parts(length: i32) -> Vec<(u64, Part)> {
    let (mut parts, mut offset, length) = (Vec::new(), 0, u64::from(length.unsigned_abs()));
    for part in [Part::Eight, Part::Four, Part::Two, Part::One] {
        while offset + part.bytes() <= length {
            parts.push((offset, part));
            offset += part.bytes();
        }
    }
    parts
}

/// What one instruction moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Eight,
    Four,
    Two,
    One,
}

impl Part {
    fn bytes(self) -> u64 {
        match self {
            Self::Eight => 8,
            Self::Four => 4,
            Self::Two => 2,
            Self::One => 1,
        }
    }

    fn kind(self) -> ValType {
        if self == Self::Eight { ValType::I64 } else { ValType::I32 }
    }

    fn load(self) -> LoadKind {
        match self {
            Self::Eight => LoadKind::I64 { atomic: false },
            Self::Four => LoadKind::I32 { atomic: false },
            Self::Two => LoadKind::I32_16 { kind: ExtendedLoad::ZeroExtend },
            Self::One => LoadKind::I32_8 { kind: ExtendedLoad::ZeroExtend },
        }
    }

    fn store(self) -> StoreKind {
        match self {
            Self::Eight => StoreKind::I64 { atomic: false },
            Self::Four => StoreKind::I32 { atomic: false },
            Self::Two => StoreKind::I32_16 { atomic: false },
            Self::One => StoreKind::I32_8 { atomic: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_made_of_parts_that_follow_each_other() {
        for length in 1..=MOST {
            let mut end = 0;
            for (offset, part) in parts(length) {
                assert_eq!(offset, end);
                end += part.bytes();
            }
            assert_eq!(end, u64::from(length.unsigned_abs()));
        }
    }
}
