//! One module in two: what is needed at once, and the rest, which is loaded into the same memory when it is asked for.
//!
//! It decides by reach alone: functions and data that no export of the first part leads to are in the rest. It knows nothing of
//! what the module does.

use std::collections::{BTreeSet, HashMap, HashSet};

use walrus::ir::{Value, Visitor, dfs_in_order};
use walrus::{
    ConstExpr, DataId, DataKind, ElementItems, ElementKind, ExportItem, FunctionBuilder, FunctionId, FunctionKind,
    GlobalKind, ImportedFunction, Module, ModuleConfig, TableId,
};

use crate::Outcome;
use crate::links::{Links, Node};

/// The name under which the rest imports what the first part exports.
const FIRST: &str = "first";

/// So many bytes between two pieces of data cost less than a segment of its own.
const GAP: usize = 12;

/// Names each function of a linked module by its number, so that it is known after others have worked on the module.
pub(crate) fn number_functions(module: &mut Module) {
    for (number, function) in module.funcs.iter_mut().enumerate() {
        function.name = Some(format!("{number}"));
    }
}

/// A module without the names of its functions.
pub(crate) fn unnamed(module: &[u8]) -> Outcome<Vec<u8>> {
    Ok(parse(module)?.emit_wasm())
}

/// The first part, which has all exports of `module`, and the rest. Before the rest is there, the exports named in `late` trap; it
/// is there as soon as it has been instantiated with `{ first: <exports of the first part> }`.
///
/// The module's functions are named by [`number_functions`], and `links` are those of the linked module.
pub(crate) fn split(module: &[u8], links: &Links, late: &[&str]) -> Outcome<(Vec<u8>, Vec<u8>)> {
    let (mut first, mut rest) = (parse(module)?, parse(module)?);
    let plan = Plan::new(&first, links, late)?;
    // Both were read from the same bytes, so what stands at the same place is the same.
    let order = |module: &Module| module.funcs.iter().map(|function| function.id()).collect::<Vec<_>>();
    let (in_first, in_rest) = (order(&first), order(&rest));

    // The first part calls the rest by places of the table that the rest fills.
    let begin = i32::try_from(first.tables.get(functions_of(&first)?).initial)?;
    for module in [&mut first, &mut rest] {
        let table = functions_of(module)?;
        let table = module.tables.get_mut(table);
        table.initial += plan.late.len() as u64;
        table.maximum = Some(table.initial);
    }
    for (place, one) in (begin..).zip(&plan.late) {
        call_by_place(&mut first, in_first[*one], place)?;
    }
    let mut filled: Vec<(i32, usize)> = (begin..).zip(plan.late.iter().copied()).collect();
    filled.extend(take_out_of_table(&mut first, &in_first, &plan)?);
    let taken = take_out_of_data(&mut first, links, &plan)?;
    for one in &plan.shared {
        first.exports.add(&export_name(*one), in_first[*one]);
    }
    share_state(&mut first, &mut rest);

    forget_what_the_first_part_does(&mut rest);
    for one in &plan.shared {
        let import = rest.imports.add(FIRST, &export_name(*one), in_rest[*one]);
        let function = rest.funcs.get_mut(in_rest[*one]);
        let ty = function.ty();
        let before = std::mem::replace(&mut function.kind, FunctionKind::Import(ImportedFunction { import, ty }));
        if let FunctionKind::Import(imported) = before {
            rest.imports.delete(imported.import);
        }
    }
    let table = functions_of(&rest)?;
    filled.sort_unstable();
    for run in filled.chunk_by(|(one, _), (next, _)| one + 1 == *next) {
        let kind = ElementKind::Active { table, offset: ConstExpr::Value(Value::I32(run[0].0)) };
        let items = ElementItems::Functions(run.iter().map(|(_, one)| in_rest[*one]).collect());
        let element = rest.elements.add(kind, items);
        rest.tables.get_mut(table).elem_segments.insert(element);
    }
    let memory = rest.memories.iter().next().ok_or("the module has no memory")?.id();
    for (place, bytes) in taken {
        let data = rest.data.add(DataKind::Active { memory, offset: ConstExpr::Value(Value::I32(place)) }, bytes);
        rest.memories.get_mut(memory).data_segments.insert(data);
    }

    for module in [&mut first, &mut rest] {
        walrus::passes::gc::run(module);
        module.customs.remove_raw("target_features");
    }
    Ok((first.emit_wasm(), rest.emit_wasm()))
}

/// What goes where. Functions are told by their place in the module that is split.
struct Plan {
    late: Vec<usize>,
    /// What the first part needs.
    kept: HashSet<Node>,
    /// What the rest takes from the first part.
    shared: BTreeSet<usize>,
}

impl Plan {
    fn new(module: &Module, links: &Links, late: &[&str]) -> Outcome<Self> {
        let place: HashMap<FunctionId, usize> =
            module.funcs.iter().enumerate().map(|(place, function)| (function.id(), place)).collect();
        let named = |name: &Option<String>| name.as_ref()?.parse::<usize>().ok();
        let linked: HashMap<usize, usize> = module
            .funcs
            .iter()
            .enumerate()
            .filter_map(|(place, function)| Some((named(&function.name)?, place)))
            .collect();
        let here = |node: Node| match node {
            Node::Function(number) => linked.get(&number).map(|place| Node::Function(*place)),
            data @ Node::Data(_) => Some(data),
        };
        let mut edges: HashMap<Node, Vec<Node>> = HashMap::new();
        for (from, to) in &links.edges {
            if let (Some(from), Some(to)) = (here(*from), here(*to)) {
                edges.entry(from).or_default().push(to);
            }
        }
        for function in module.funcs.iter() {
            let named = callees(module, function.id()).into_iter().map(|id| Node::Function(place[&id]));
            edges.entry(Node::Function(place[&function.id()])).or_default().extend(named);
        }

        let late: Vec<usize> =
            late.iter().map(|name| Ok(place[&module.exports.get_func(name)?])).collect::<Outcome<_>>()?;
        let referred: HashSet<Node> = edges.values().flatten().copied().collect();
        let exported = module.exports.iter().filter_map(|export| match export.item {
            ExportItem::Function(id) => Some(place[&id]),
            _ => None,
        });
        let roots = exported.filter(|one| !late.contains(one)).chain(module.start.map(|id| place[&id]));
        // What is in the table, and nobody is known to have put there, may be called by anybody.
        let in_table = in_table(module).map(|id| place[id]).filter(|one| !referred.contains(&Node::Function(*one)));
        let roots = roots.chain(in_table).map(Node::Function);
        let kept = reach(roots.chain(links.roots.iter().filter_map(|node| here(*node))), &edges);
        if let Some(one) = late.iter().find(|one| kept.contains(&Node::Function(**one))) {
            return Err(format!("the first part itself needs function {one}").into());
        }
        let moved = reach(late.iter().map(|one| Node::Function(*one)), &edges);
        let called = moved.difference(&kept).flat_map(|one| edges.get(one).into_iter().flatten());
        let shared: BTreeSet<usize> = called
            .filter_map(|one| match one {
                Node::Function(place) if kept.contains(one) => Some(*place),
                _ => None,
            })
            .collect();
        Ok(Self { late, kept, shared })
    }
}

fn reach(roots: impl Iterator<Item = Node>, edges: &HashMap<Node, Vec<Node>>) -> HashSet<Node> {
    let mut left: Vec<Node> = roots.collect();
    let mut reached = HashSet::new();
    while let Some(one) = left.pop() {
        if reached.insert(one) {
            left.extend(edges.get(&one).into_iter().flatten());
        }
    }
    reached
}

fn parse(module: &[u8]) -> Outcome<Module> {
    Ok(ModuleConfig::new().generate_name_section(false).generate_producers_section(false).parse(module)?)
}

fn functions_of(module: &Module) -> Outcome<TableId> {
    Ok(module.tables.main_function_table()?.ok_or("the module has no table of functions")?)
}

fn in_table(module: &Module) -> impl Iterator<Item = &FunctionId> {
    module.elements.iter().flat_map(|element| match &element.items {
        ElementItems::Functions(ids) => ids.as_slice(),
        ElementItems::Expressions(..) => &[],
    })
}

/// What the rest imports a function by; the names of what is no function begin with a letter.
fn export_name(place: usize) -> String {
    place.to_string()
}

/// Every function whose number stands in a function's instructions.
fn callees(module: &Module, function: FunctionId) -> HashSet<FunctionId> {
    struct Named(HashSet<FunctionId>);
    impl Visitor<'_> for Named {
        fn visit_function_id(&mut self, id: &FunctionId) {
            self.0.insert(*id);
        }
    }
    let mut named = Named(HashSet::new());
    if let FunctionKind::Local(local) = &module.funcs.get(function).kind {
        dfs_in_order(&mut named, local, local.entry_block());
    }
    named.0
}

/// Makes a function call whatever stands at a place of the table.
fn call_by_place(module: &mut Module, function: FunctionId, place: i32) -> Outcome<()> {
    let (ty, table) = (module.funcs.get(function).ty(), functions_of(module)?);
    let (params, results) = module.types.params_results(ty);
    let (params, results) = (params.to_vec(), results.to_vec());
    let given: Vec<_> = params.iter().map(|one| module.locals.add(*one)).collect();
    let mut body = FunctionBuilder::new(&mut module.types, &params, &results);
    let mut instructions = body.func_body();
    for one in &given {
        instructions.local_get(*one);
    }
    instructions.i32_const(place).call_indirect(ty, table);
    module.funcs.get_mut(function).kind = FunctionKind::Local(body.local_func(given));
    Ok(())
}

/// Leaves a function that is needed anyway where one stood that is not, and tells who stood where.
fn take_out_of_table(first: &mut Module, order: &[FunctionId], plan: &Plan) -> Outcome<Vec<(i32, usize)>> {
    let place: HashMap<FunctionId, usize> = order.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let is_kept = |id: &FunctionId| plan.kept.contains(&Node::Function(place[id]));
    let any = *in_table(first).find(|id| is_kept(id)).ok_or("no function of the table is needed at once")?;
    let mut taken = Vec::new();
    for element in first.elements.iter_mut() {
        let ElementItems::Functions(ids) = &mut element.items else { continue };
        let ElementKind::Active { offset: ConstExpr::Value(Value::I32(begin)), .. } = &element.kind else {
            return Err("a part of the table has no constant place".into());
        };
        for (at, id) in (*begin..).zip(ids) {
            if !is_kept(id) {
                taken.push((at, place[id]));
                *id = any;
            }
        }
    }
    Ok(taken)
}

/// Leaves zeros where data stood that is not needed at once, and tells what stood where.
fn take_out_of_data(first: &mut Module, links: &Links, plan: &Plan) -> Outcome<Vec<(i32, Vec<u8>)>> {
    let segments: Vec<DataId> = first.data.iter().map(|data| data.id()).collect();
    let mut taken = Vec::new();
    for (number, id) in segments.into_iter().enumerate() {
        let data = first.data.get_mut(id);
        let DataKind::Active { offset: ConstExpr::Value(Value::I32(begin)), .. } = &data.kind else {
            return Err("a segment of data has no constant place".into());
        };
        let mut moves = vec![false; data.value.len()];
        let is_kept = |symbol: usize| plan.kept.contains(&Node::Data(symbol));
        for kept in [false, true] {
            for (symbol, (_, range)) in links.data.iter().enumerate().filter(|(_, (segment, _))| *segment == number) {
                if is_kept(symbol) == kept {
                    moves.get_mut(range.clone()).ok_or("data does not stand where it was linked")?.fill(!kept);
                }
            }
        }
        let mut at = 0;
        while let Some(from) = moves[at..].iter().position(|moves| *moves).map(|skipped| at + skipped) {
            // Up to where nothing moves for a while.
            let stays = moves[from..].windows(GAP).position(|window| window.iter().all(|moves| !moves));
            let to = stays.map_or(moves.len(), |length| from + length);
            taken.push((begin + i32::try_from(from)?, data.value[from..to].to_vec()));
            at = to;
        }
        for (byte, moves) in data.value.iter_mut().zip(moves) {
            if moves {
                *byte = 0;
            }
        }
    }
    Ok(taken)
}

/// Both parts work on the memory, the tables and the globals of the first.
fn share_state(first: &mut Module, rest: &mut Module) {
    let all = |module: &Module| {
        let memories: Vec<_> = module.memories.iter().map(|one| one.id()).collect();
        let tables: Vec<_> = module.tables.iter().map(|one| one.id()).collect();
        let globals: Vec<_> = module.globals.iter().map(|one| one.id()).collect();
        (memories, tables, globals)
    };
    let (given, taken) = (all(first), all(rest));
    for (index, (from, to)) in given.0.into_iter().zip(taken.0).enumerate() {
        let name = format!("m{index}");
        first.exports.add(&name, from);
        rest.memories.get_mut(to).import = Some(rest.imports.add(FIRST, &name, to));
        rest.memories.get_mut(to).data_segments.clear();
    }
    for (index, (from, to)) in given.1.into_iter().zip(taken.1).enumerate() {
        let name = format!("t{index}");
        first.exports.add(&name, from);
        rest.tables.get_mut(to).import = Some(rest.imports.add(FIRST, &name, to));
        rest.tables.get_mut(to).elem_segments.clear();
    }
    for (index, (from, to)) in given.2.into_iter().zip(taken.2).enumerate() {
        let name = format!("g{index}");
        first.exports.add(&name, from);
        rest.globals.get_mut(to).kind = GlobalKind::Import(rest.imports.add(FIRST, &name, to));
    }
}

/// What has been done, and what others call, when the rest comes.
fn forget_what_the_first_part_does(rest: &mut Module) {
    rest.start = None;
    let exports: Vec<_> = rest.exports.iter().map(|one| one.id()).collect();
    exports.into_iter().for_each(|one| rest.exports.delete(one));
    let elements: Vec<_> = rest.elements.iter().map(|one| one.id()).collect();
    elements.into_iter().for_each(|one| rest.elements.delete(one));
    let data: Vec<_> = rest.data.iter().map(|one| one.id()).collect();
    data.into_iter().for_each(|one| rest.data.delete(one));
}
