//! Text in columns.

use super::words::safe;

/// Which way a column leans.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lean {
    /// Left.
    Left,
    /// Right.
    Right,
}

/// Rows under a heading, two blanks between columns, nothing behind the last.
#[derive(Debug)]
pub struct Table {
    leans: Vec<Lean>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// No rows yet.
    #[must_use]
    pub fn new(columns: &[(&str, Lean)]) -> Self {
        let heading = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        Self { leans: columns.iter().map(|(_, lean)| *lean).collect(), rows: vec![heading] }
    }

    /// Adds a row; cells that are left out are empty.
    pub fn row(&mut self, cells: &[String]) {
        self.rows.push(cells.iter().map(|cell| safe(cell).into_owned()).collect());
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> String {
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max()
        };
        let widths: Vec<usize> = (0..self.leans.len()).filter_map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, lean), width) in row.iter().zip(&self.leans).zip(&widths) {
                let blanks = " ".repeat(width - cell.chars().count());
                match lean {
                    Lean::Left => line.extend([cell.as_str(), &blanks, "  "]),
                    Lean::Right => line.extend([blanks.as_str(), cell, "  "]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// `2026-11-22 10:11:12Z` of a schema's time.
#[must_use]
pub fn to_seconds(timestamp: &str) -> String {
    match (timestamp.get(..10), timestamp.get(10..11), timestamp.get(11..19)) {
        (Some(date), Some("T"), Some(time)) => format!("{date} {time}Z"),
        _ => timestamp.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns() {
        let mut table =
            Table::new(&[("A", Lean::Left), ("NUMBER", Lean::Right), ("C", Lean::Left)]);
        table.row(&["größe".to_owned(), "7".to_owned(), String::new()]);
        table.row(&["x\n".to_owned(), "12345678".to_owned(), "c".to_owned()]);
        assert_eq!(
            table.text(),
            "A        NUMBER  C\n\
             größe         7\n\
             x\\n    12345678  c\n"
        );
    }
}
