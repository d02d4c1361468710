//! Columns for people: as wide as their widest cell, two spaces apart, the last one as long as it likes.
//!
//! It cuts nothing and knows no terminal width, so that what is printed can be copied.

use super::human::Paint;

/// A table with `N` columns.
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

/// Titles as owned text.
macro_rules! columns {
    ($($title:literal),* $(,)?) => { [$($title.to_owned()),*] };
}
pub(crate) use columns;

impl<const N: usize> Table<N> {
    /// With these titles.
    pub(crate) fn new(titles: [String; N]) -> Self {
        Self { rows: vec![titles] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// The lines, titles first.
    pub(crate) fn draw(&self, paint: Paint) -> String {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..N).map(width).collect();
        let mut out = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
            }
            let line = line.trim_end();
            out.push_str(&if number == 0 { paint.faint(line) } else { line.to_owned() });
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(columns!["A", "B"]);
        table.row(["é".to_owned(), "long".to_owned()]);
        table.row(["xyz".to_owned(), String::new()]);
        assert_eq!(table.draw(Paint::new(false)), "A    B\né    long\nxyz\n");
    }
}
