//! `docs/limits.md` tells every limit, with the value that it has.
//!
//! That each limit holds is tested where it is applied.

#[test]
fn every_limit_is_told_with_its_value() {
    let source = include_str!("../../../core/src/config/limits.rs");
    let told = include_str!("../../../docs/limits.md");
    let mut count = 0;
    for line in source.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let (name, value) = line.split_once(':').unwrap();
        let value = value.split_once('=').unwrap().1.trim().trim_end_matches(';').replace('_', "");
        let value = match value.split_once(" << ") {
            Some((number, shift)) => number.parse::<u64>().unwrap() << shift.parse::<u32>().unwrap(),
            None => value.parse().unwrap(),
        };
        let row = told.lines().find(|row| row.starts_with(&format!("| `{name}`")));
        assert!(row.is_some_and(|row| row.contains(&format!("| {value} "))), "{name} is {value}: {row:?}");
        count += 1;
    }
    assert!(count >= 10, "{count}");
}
