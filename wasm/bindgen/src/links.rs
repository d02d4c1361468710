//! What refers to what in a linked module: read from the relocations that the linker leaves with `--emit-relocs`.
//!
//! It judges nothing of it, and knows of the module no more than where functions and data stand. Source: `Linking.md` of
//! WebAssembly's tool conventions.

use std::ops::Range;

use crate::Outcome;

/// A part of a module that refers, and is referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Node {
    /// A function, by its number.
    Function(usize),
    /// Data that has a symbol, by its number in [`Links::data`].
    Data(usize),
}

/// Who refers to what.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Where each symbol's data stands: number of the segment, bytes in it.
    pub(crate) data: Vec<(usize, Range<usize>)>,
    /// From which part to which.
    pub(crate) edges: Vec<(Node, Node)>,
    /// What is referred to from where no symbol is.
    pub(crate) roots: Vec<Node>,
}

/// Sections other than custom ones, as far as they are read.
const IMPORT: u8 = 2;
const CODE: u8 = 10;
const DATA: u8 = 11;

/// What refers to what, and the module without all that is only for linkers and debuggers.
pub(crate) fn read(module: &[u8]) -> Outcome<(Links, Vec<u8>)> {
    let mut reader = Reader { bytes: module, at: 8 };
    let mut plain = module.get(..8).ok_or("the module is cut off")?.to_vec();
    let (mut imported, mut functions, mut segments) = (0, Vec::new(), Vec::new());
    let (mut symbols, mut relocations) = (Vec::new(), Vec::new());
    while reader.at < module.len() {
        let begin = reader.at;
        let kind = reader.byte()?;
        let mut section = reader.part()?;
        let from = section.at;
        let mut needed = true;
        match kind {
            0 => match section.text()? {
                "linking" => (symbols, needed) = (linking(section)?, false),
                "reloc.CODE" | "reloc.DATA" => {
                    relocations.push(section);
                    needed = false;
                }
                name => needed = !name.starts_with("reloc.") && !name.starts_with(".debug_"),
            },
            IMPORT => imported = imports(section)?,
            CODE => functions = ranges(section, from, |_| Ok(()))?,
            DATA => segments = ranges(section, from, segment_head)?,
            _ => {}
        }
        if needed {
            plain.extend(&module[begin..reader.at]);
        }
    }
    let mut links = Links::default();
    let symbols: Vec<Option<Node>> = symbols
        .into_iter()
        .map(|symbol| match symbol {
            Symbol::Function(number) => Some(Node::Function(number)),
            Symbol::Data(segment, range) => {
                links.data.push((segment, range));
                Some(Node::Data(links.data.len() - 1))
            }
            Symbol::Other => None,
        })
        .collect();
    let mut starts: Vec<(usize, usize, usize)> = Vec::new();
    for (number, (segment, range)) in links.data.iter().enumerate() {
        let begin = segments.get(*segment).ok_or("a symbol stands in no segment")?.start;
        starts.push((begin + range.start, begin + range.end, number));
    }
    for mut section in relocations {
        let in_code = section.bytes[..section.at].ends_with(b"reloc.CODE");
        section.number()?;
        for _ in 0..section.number()? {
            let (place, symbol) = relocation(&mut section)?;
            let Some(to) = symbol.and_then(|symbol| *symbols.get(symbol)?) else { continue };
            let holders: Vec<Node> = if in_code {
                let index = functions.partition_point(|range| range.end <= place);
                let inside = functions.get(index).is_some_and(|range| range.contains(&place));
                inside.then_some(Node::Function(imported + index)).into_iter().collect()
            } else {
                let inside = starts.iter().filter(|(from, to, _)| (*from..*to).contains(&place));
                inside.map(|(_, _, number)| Node::Data(*number)).collect()
            };
            if holders.is_empty() {
                links.roots.push(to);
            }
            links.edges.extend(holders.into_iter().map(|from| (from, to)));
        }
    }
    Ok((links, plain))
}

enum Symbol {
    Function(usize),
    Data(usize, Range<usize>),
    Other,
}

/// The table of symbols.
fn linking(mut section: Reader<'_>) -> Outcome<Vec<Symbol>> {
    const SYMBOLS: u8 = 8;
    const UNDEFINED: usize = 0x10;
    const NAMED: usize = 0x40;
    const ABSOLUTE: usize = 0x200;
    let mut symbols = Vec::new();
    section.number()?;
    while section.at < section.bytes.len() {
        let kind = section.byte()?;
        let mut part = section.part()?;
        if kind != SYMBOLS {
            continue;
        }
        for _ in 0..part.number()? {
            let (kind, flags) = (part.byte()?, part.number()?);
            let defined = flags & UNDEFINED == 0;
            symbols.push(match kind {
                1 => {
                    part.text()?;
                    if defined {
                        let (segment, from, size) = (part.number()?, part.number()?, part.number()?);
                        let inside = flags & ABSOLUTE == 0;
                        if inside { Symbol::Data(segment, from..from + size) } else { Symbol::Other }
                    } else {
                        Symbol::Other
                    }
                }
                3 => {
                    part.number()?;
                    Symbol::Other
                }
                _ => {
                    let number = part.number()?;
                    if defined || flags & NAMED != 0 {
                        part.text()?;
                    }
                    if kind == 0 { Symbol::Function(number) } else { Symbol::Other }
                }
            });
        }
    }
    Ok(symbols)
}

/// Where it is, in its section, and the symbol that it names; types and globals have none that matters here.
fn relocation(section: &mut Reader<'_>) -> Outcome<(usize, Option<usize>)> {
    let (kind, place, symbol) = (section.byte()?, section.number()?, section.number()?);
    match kind {
        // Numbers of functions, and of their places in the table.
        0..=2 => Ok((place, Some(symbol))),
        // Addresses, with what is added to them.
        3..=5 => {
            section.number()?;
            Ok((place, Some(symbol)))
        }
        // Numbers of types, globals and tables.
        6 | 7 | 20 => Ok((place, None)),
        _ => Err(format!("relocations of kind {kind} are not known here").into()),
    }
}

fn imports(mut section: Reader<'_>) -> Outcome<usize> {
    let mut functions = 0;
    for _ in 0..section.number()? {
        section.text()?;
        section.text()?;
        if section.byte()? != 0 {
            return Err("the module imports something else than functions".into());
        }
        section.number()?;
        functions += 1;
    }
    Ok(functions)
}

/// Where the bytes of each item of a section are, counted from the section's beginning.
fn ranges(
    mut section: Reader<'_>,
    from: usize,
    head: fn(&mut Reader<'_>) -> Outcome<()>,
) -> Outcome<Vec<Range<usize>>> {
    let count = section.number()?;
    let one = |_| {
        head(&mut section)?;
        let item = section.part()?;
        Ok(item.at - from..item.bytes.len() - from)
    };
    (0..count).map(one).collect()
}

/// An active segment's flags and its constant offset.
fn segment_head(section: &mut Reader<'_>) -> Outcome<()> {
    match (section.byte()?, section.byte()?) {
        (0, 0x41) => {
            section.number()?;
            section.byte()?;
            Ok(())
        }
        _ => Err("a segment of data has no constant place".into()),
    }
}

/// Reads what a module is made of; its end is the end of its bytes.
#[derive(Clone, Copy, Debug)]
struct Reader<'m> {
    bytes: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    fn byte(&mut self) -> Outcome<u8> {
        let byte = *self.bytes.get(self.at).ok_or("the module is cut off")?;
        self.at += 1;
        Ok(byte)
    }

    /// LEB128; of a signed number only its length is right.
    fn number(&mut self) -> Outcome<usize> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift = (shift + 7) % usize::BITS;
        }
    }

    /// What follows its own length.
    fn part(&mut self) -> Outcome<Self> {
        let length = self.number()?;
        let begin = self.at;
        self.at += length;
        Ok(Self { bytes: self.bytes.get(..self.at).ok_or("the module is cut off")?, at: begin })
    }

    fn text(&mut self) -> Outcome<&'m str> {
        let part = self.part()?;
        Ok(std::str::from_utf8(&part.bytes[part.at..])?)
    }
}
