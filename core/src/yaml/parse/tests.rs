//! What the reader makes of well-formed, broken and hostile texts.

use super::super::{Node, Shape, Value};
use super::*;
use alloc::string::String;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Flow notation of a tree, scalars as JSON strings if they were quoted.
fn shown(node: Node<'_, '_>) -> String {
    match node.shape() {
        Shape::Scalar(scalar) if scalar.plain => scalar.text.to_owned(),
        Shape::Scalar(scalar) => format!("{:?}", scalar.text),
        Shape::Sequence(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
        Shape::Mapping(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{}:{}", shown(key), shown(value))).collect();
            format!("{{{}}}", entries.join(","))
        }
        Shape::Bad => "BAD".to_owned(),
    }
}

fn root(text: &str) -> String {
    parse(text, &Positions::identity()).tree.root().map_or("nothing".to_owned(), shown)
}

/// `code start..end message`, one a line.
fn findings(text: &str) -> Vec<String> {
    parse(text, &Positions::identity())
        .diagnostics
        .iter()
        .map(|d| {
            let span = d.place.as_ref().unwrap().span;
            format!("{} {}..{} {}", d.code, span.start, span.end, d.message)
        })
        .collect()
}

#[test]
fn a_document_becomes_a_tree() {
    assert_eq!(root("a: [x, 'y', {b: }]\nc:\n- d\n"), r#"{a:[x,"y",{b:}],c:[d]}"#);
    assert_eq!(root(""), "nothing");
    assert_eq!(root("# only a comment\n"), "nothing");
    assert_eq!(root("---\n"), "");
    assert_eq!(root("a: 1\n---\nb: [\n"), "{a:1}");
    assert_eq!(findings("a: 1\n---\nb: [\n"), [""; 0]);
}

#[test]
fn a_span_covers_the_value() {
    let text = "a:\n  - b: 'c'\n    d: [e, f]\n  - |\n    g\n";
    let parsed = parse(text, &Positions::identity());
    let mut found = Vec::new();
    fn walk<'t>(text: &'t str, node: Node<'_, '_>, found: &mut Vec<&'t str>) {
        found.push(text.get(node.span().range()).unwrap());
        match node.shape() {
            Shape::Sequence(items) => items.iter().for_each(|item| walk(text, item, found)),
            Shape::Mapping(entries) => entries.iter().for_each(|(key, value)| {
                walk(text, key, found);
                walk(text, value, found);
            }),
            _ => {}
        }
    }
    walk(text, parsed.tree.root().unwrap(), &mut found);
    assert_eq!(
        found,
        [
            "a:\n  - b: 'c'\n    d: [e, f]\n  - |\n    g\n",
            "a",
            "- b: 'c'\n    d: [e, f]\n  - |\n    g\n",
            "b: 'c'\n    d: [e, f]",
            "b",
            "'c'",
            "d",
            "[e, f]",
            "e",
            "f",
            "g\n"
        ]
    );
}

#[test]
fn aliases_share_the_node_and_bad_ones_are_reported() {
    let parsed = parse("a: &x {k: v}\nb: *x\n", &Positions::identity());
    let Shape::Mapping(entries) = parsed.tree.root().unwrap().shape() else { panic!() };
    let ids: Vec<_> = entries.iter().map(|(_, value)| value.id()).collect();
    assert_eq!(ids.first(), ids.get(1));
    assert_eq!(root("l: [&x a, *x, &x b, *x]"), "{l:[a,a,b,b]}");
    assert_eq!(root("a: *nope\nb: c"), "{a:BAD,b:c}");
    assert_eq!(
        findings("a: *nope\nb: c"),
        ["yaml/undefined-alias 3..8 `*nope` refers to nothing; expected `&nope` before it"]
    );
    assert_eq!(root("a: &x [*x, b]"), "{a:[BAD,b]}");
    assert_eq!(findings("a: &x [*x, b]"), ["yaml/recursive-alias 7..9 `*x` stands inside of what it refers to"]);
}

#[test]
fn merge_keys_add_what_is_not_there() {
    assert_eq!(root("a: &x {p: 1, q: 2}\nm:\n  <<: *x\n  q: 3"), "{a:{p:1,q:2},m:{q:3,p:1}}");
    assert_eq!(root("a: [&x {p: 1}, &y {p: 2, r: 3}]\nm: {<<: [*x, *y]}"), "{a:[{p:1},{p:2,r:3}],m:{p:1,r:3}}");
    assert_eq!(root("m: {'<<': v}"), r#"{m:{"<<":v}}"#);
    assert_eq!(root("m: {!!merge '<<': {a: b}}"), "{m:{a:b}}");
    assert_eq!(root("s: <<"), "{s:<<}");
    assert_eq!(
        findings("m: {<<: 5}"),
        ["yaml/merge-value 8..9 `<<` is given something else; expected a map or a list of maps"]
    );
    assert_eq!(
        findings("m: {<<: [{a: b}, [c]]}"),
        ["yaml/merge-value 17..20 `<<` is given something else; expected a map or a list of maps"]
    );
    assert_eq!(
        findings("m:\n  <<: {a: b}\n  <<: {c: d}"),
        ["yaml/duplicate-key 18..20 key `<<` stands here twice; the first one counts"]
    );
}

#[test]
fn repeated_keys_are_reported_and_the_first_one_counts() {
    assert_eq!(root("a: 1\n'a': 2\nb: 3\na: 4"), "{a:1,b:3}");
    assert_eq!(
        findings("a: 1\n'a': 2\nb: 3\na: 4"),
        [
            "yaml/duplicate-key 5..8 key `a` stands here twice; the first one counts",
            "yaml/duplicate-key 17..18 key `a` stands here twice; the first one counts"
        ]
    );
    let parsed = parse("a: 1\na: 2", &Positions::identity());
    let related = &parsed.diagnostics[0].related[0];
    assert_eq!((related.place.span, &*related.message), (Span::new(0, 1), "first here"));
    let many: String = (0..20_000).map(|i| format!("k{}: v\n", i % 19_999)).collect();
    assert_eq!(findings(&many), ["yaml/duplicate-key 188880..188882 key `k0` stands here twice; the first one counts"]);
}

/// How much text each of these may take: enough to hang or exhaust a reader that is not bounded.
const MANY: usize = 100_000;

#[test]
fn a_syntax_error_keeps_what_stands_before_it() {
    let parsed = parse("a: 1\nb: [x, {c: d, e: \"f\n", &Positions::identity());
    let top = parsed.tree.root().unwrap();
    assert_eq!(shown(top), "{a:1,b:[x]}");
    assert!(top.is_truncated() && top.get("b").unwrap().is_truncated());
    assert!(!top.get("a").unwrap().is_truncated());
    assert_eq!(
        findings("a: 1\nb: [x, {c: d, e: \"f\n"),
        ["yaml/syntax 22..23 this quote is never closed; expected the same quote before the end"]
    );
}

#[test]
fn the_texts_of_syntax_errors() {
    let mut wrong = Vec::new();
    for (text, finding) in [
        ("l: [a, b\n", "yaml/syntax 3..4 `[` is never closed; expected `]` before the end"),
        ("l: [a}", "yaml/syntax 3..4 `[` is closed by `}`; expected `]`"),
        ("l: [a]]\n", "yaml/syntax 6..7 this bracket closes nothing"),
        (
            "s: a: b\n",
            "yaml/syntax 4..5 `:` stands where no value may begin; quote text that holds `: `, or begin a new line",
        ),
        (
            "s: - x\n",
            "yaml/syntax 3..4 `-` stands where no list entry may begin; begin a new line, or put the text in quotes",
        ),
        ("s: @x\n", "yaml/syntax 3..4 `@` cannot begin a value; put the text in quotes"),
        (
            "s: \"\\q\"\n",
            "yaml/syntax 4..5 no escape of this name exists; write `\\\\` for a backslash, or use single quotes",
        ),
        ("s: \"\\uD83D\"\n", "yaml/syntax 3..4 this escape names no Unicode character"),
        ("s: \"x\"#c\n", "yaml/syntax 6..7 `#` follows a value directly; expected a space before a comment"),
        ("s: \"x\" y\n", "yaml/syntax 7..8 text follows a closing quote; expected the end of the value"),
        ("l: [a,,b]\n", "yaml/syntax 6..7 expected a value here"),
        ("m:\n  a: b\n  - c\n", "yaml/syntax 12..13 expected a key here, indented as the keys before it"),
        ("m:\n  a: b\n c: d\n", "yaml/syntax 11..12 expected a key here, indented as the keys before it"),
        (
            "a: b\nc\nd: e\n",
            "yaml/syntax 5..6 this line is neither a key with `:` nor part of the value before it; expected `key: value`",
        ),
        (
            "s: |x\n",
            "yaml/syntax 3..4 text follows `|` or `>` on its line; expected only `1` to `9`, `+`, `-` or a comment",
        ),
        ("m:\n\ta: b\n", "yaml/tab 3..4 a tab stands where YAML allows only spaces; expected spaces"),
        ("s: |\n\ta\n", "yaml/tab 5..6 a tab stands where YAML allows only spaces; expected spaces"),
        (
            "%YAML 1.2\n---\na: b\n",
            "yaml/directive 0..9 this directive is not understood; expected `%YAML 1.1`, `%TAG` or, best, none",
        ),
        (
            "%FOO x\n# remark\n---\na: b\n",
            "yaml/directive 0..6 this directive is not understood; expected `%YAML 1.1`, `%TAG` or, best, none",
        ),
    ] {
        let found = findings(text);
        if found != [finding] {
            wrong.push(format!("{text:?}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(findings("%YAML 1.1\n%TAG ! tag:x,2000:\n---\na: !foo b\n"), [""; 0]);
}

#[test]
fn a_character_that_yaml_forbids_ends_the_text() {
    let expected = "the text holds the character U+0000, which YAML does not allow; write `\\u0000` in double quotes";
    assert_eq!(findings("a: b\n\0"), [format!("yaml/control-character 5..6 {expected}")]);
    assert_eq!(findings("a: \"b\0c\"\nd: e"), [format!("yaml/control-character 5..6 {expected}")]);
    let parsed = parse("a: {b: c}\nd: e\0f", &Positions::identity());
    assert_eq!(shown(parsed.tree.root().unwrap()), "{a:{b:c},d:e}");
    assert!(parsed.tree.root().unwrap().is_truncated());
    assert!(!parsed.tree.root().unwrap().get("a").unwrap().is_truncated());
    // Go does not read on after the first document either.
    assert_eq!(findings("a: b\n---\n\0"), [""; 0]);
}

#[test]
fn nesting_is_bounded_however_it_is_written() {
    for open in ["[", "{a: ", "- ", "? ", "{? ", "[{a: "] {
        let text = open.repeat(MANY);
        let parsed = parse(&text, &Positions::identity());
        let last = parsed.diagnostics.last().unwrap();
        assert_eq!(last.code, code::TOO_DEEP, "{open}");
        assert_eq!(last.message, "values are nested deeper than 128 levels");
        assert_eq!(parsed.diagnostics.len(), 1);
        assert!(height(parsed.tree.root().unwrap()) <= limits::NESTING + 1);
    }
    let stairs: String = (0..2000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    assert_eq!(parse(&stairs, &Positions::identity()).diagnostics[0].code, code::TOO_DEEP);
    // Aliases of aliases reach as deep as what they stand for.
    let mut chain = String::from("- &a0 [x]\n");
    for i in 1..1000 {
        chain.push_str(&format!("- &a{i} [*a{}]\n", i - 1));
    }
    let parsed = parse(&chain, &Positions::identity());
    assert_eq!(parsed.diagnostics[0].code, code::TOO_DEEP);
    assert!(height(parsed.tree.root().unwrap()) <= limits::NESTING + 1);
}

fn height(node: Node<'_, '_>) -> usize {
    match node.shape() {
        Shape::Sequence(items) => 1 + items.iter().map(height).max().unwrap_or(0),
        Shape::Mapping(entries) => {
            1 + entries.iter().map(|(key, value)| height(key).max(height(value))).max().unwrap_or(0)
        }
        _ => 1,
    }
}

#[test]
fn aliases_that_expand_without_bound_are_refused() {
    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for i in 1..30 {
        laughs.push_str(&format!("a{i}: &a{i} [{}]\n", alloc::vec![format!("*a{}", i - 1); 9].join(",")));
    }
    let parsed = parse(&laughs, &Positions::identity());
    assert!(matches!(parsed.tree.root().unwrap().shape(), Shape::Bad));
    assert_eq!(
        parsed.diagnostics.iter().map(|d| (d.code, &*d.message)).collect::<Vec<_>>(),
        [(
            code::EXCESSIVE_ALIASING,
            "aliases repeat too much of this document; write out what they stand for, or use fewer"
        )]
    );
    // What Go still takes: many aliases of something small.
    let small = format!("- &a {{k: v}}\n{}", "- *a\n".repeat(300));
    assert_eq!(findings(&small), [""; 0]);
}

#[test]
fn merges_that_expand_without_bound_are_refused() {
    let keys = |from: usize| (from..from + 1000).map(|i| format!("k{i}: v")).collect::<Vec<_>>().join(", ");
    let mut bomb = format!("- &a {{{}}}\n", keys(0));
    for _ in 0..200 {
        bomb.push_str("- {<<: [*a]}\n");
    }
    let parsed = parse(&bomb, &Positions::identity());
    assert!(matches!(parsed.tree.root().unwrap().shape(), Shape::Bad));
    assert!(parsed.diagnostics.iter().any(|d| d.code == code::EXCESSIVE_ALIASING || d.code == code::EXCESSIVE_MERGING));
    let mut nested = String::from("a0: &a0 {k: v}\n");
    for i in 1..60 {
        nested.push_str(&format!(
            "a{i}: &a{i} {{<<: [{}], k{i}: v}}\n",
            alloc::vec![format!("*a{}", i - 1); 9].join(",")
        ));
    }
    assert!(parse(&nested, &Positions::identity()).diagnostics.iter().any(|d| d.code == code::EXCESSIVE_ALIASING));
    let mut wide = String::from("x: {<<: [");
    for i in 0..11 {
        wide.push_str(&format!("{{{}}},", keys(i * 1000)));
    }
    wide.push_str("]}");
    let budget = Budget { nodes: limits::NODES, merge_steps: 10_000 };
    let parsed = within(budget, &wide, &Positions::identity()).next().unwrap();
    assert!(matches!(parsed.tree.root().unwrap().shape(), Shape::Bad));
    assert_eq!(
        parsed.diagnostics.iter().map(|d| (d.code, &*d.message)).collect::<Vec<_>>(),
        [(code::EXCESSIVE_MERGING, "`<<` takes over more than 10000 entries in this document")]
    );
}

#[test]
fn a_document_of_too_many_values_is_refused() {
    let text = format!("[{}", "a,".repeat(2000));
    let budget = Budget { nodes: 1000, merge_steps: 0 };
    let parsed = within(budget, &text, &Positions::identity()).next().unwrap();
    assert!(matches!(parsed.tree.root().unwrap().shape(), Shape::Bad));
    assert_eq!(
        parsed.diagnostics.iter().map(|d| (d.code, &*d.message)).collect::<Vec<_>>(),
        [(code::TOO_MANY_NODES, "the document has more than 1000 values")]
    );
}

#[test]
fn findings_are_bounded() {
    let text = "*x : y\n".repeat(limits::DIAGNOSTICS * 3);
    let found = parse(&text, &Positions::identity()).diagnostics;
    assert_eq!(found.len(), limits::DIAGNOSTICS + 1);
    assert_eq!(found.last().unwrap().message, "2000 more errors are not shown; at most 1000 are");
}

#[test]
fn binary_is_decoded_and_what_is_no_base64_fits_nothing() {
    let parsed =
        parse("[!!binary aGVsbG8=, !!binary 'a GVs', !!binary aGVsbG8, !!binary /w==]", &Positions::identity());
    let values: Vec<_> = parsed
        .tree
        .root()
        .unwrap()
        .items()
        .map(|item| match item.shape() {
            Shape::Scalar(scalar) => (scalar.text.to_owned(), scalar.value),
            _ => panic!(),
        })
        .collect();
    assert_eq!(values[0], ("hello".to_owned(), Value::Text));
    assert!(values[1..].iter().all(|(_, value)| *value == Value::Misfit("!!binary")));
}

#[test]
fn documents_are_read_one_after_the_other_past_broken_ones() {
    let identity = Positions::identity();
    let roots = |text: &str| {
        documents(text, &identity).map(|d| d.tree.root().map_or("nothing".to_owned(), shown)).collect::<Vec<_>>()
    };
    assert_eq!(roots("a: 1\n---\nb: [\n---\nc: 3\n...\n"), ["{a:1}", "{b:[]}", "{c:3}"]);
    assert_eq!(roots(""), ["nothing"]);
    assert_eq!(roots("---\n---\na\n"), ["", "a"]);
    assert_eq!(roots("- &x 1\n---\n- *x\n"), ["[1]", "[BAD]"]);
}

#[test]
fn every_prefix_of_a_text_is_read_without_panic_and_in_bounds() {
    let text = "%TAG ! tag:x:\n---\na: &x [b, 'c''d', \"e\\u00e9\\\n  f\", {g: *x, h: *y}]\n<<: {i: |-\n    j\n   k: >2+\n  l\n}\n? - m\n: !!int n\r\n# o\u{1f600}\r---\np\n...\n";
    for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
        let text = text.get(..end).unwrap();
        for parsed in documents(text, &Positions::identity()) {
            for data in &parsed.tree.nodes {
                assert!(text.get(data.span.range()).is_some(), "{text:?} {:?}", data.span);
            }
            for diagnostic in &parsed.diagnostics {
                assert!(text.get(diagnostic.place.as_ref().unwrap().span.range()).is_some(), "{text:?} {diagnostic:?}");
            }
        }
    }
}
