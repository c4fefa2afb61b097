//! Rows in columns that are as wide as their content, or as the terminal allows. No row is wider than the terminal.

use anstyle::{AnsiColor, Style};

use super::TextStyle;
use super::cell::{cut_end, cut_name, width};

const GAP: usize = 2;

/// One column: its heading, and how it is narrowed.
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) align: Align,
    /// The smallest width.
    pub(super) min_width: usize,
    pub(super) cut: Cut,
    /// Columns of low priority are narrowed first, and left out first when that is not enough.
    pub(super) priority: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    End,
    /// Cuts the middle, where e-mails differ least.
    Name,
}

/// The content of one cell. The caller has cleaned its text.
#[derive(Clone, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) paint: Option<Paint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Good,
    Notice,
    Bad,
    Dim,
    Bold,
}

impl Column {
    /// Keeps its width, aligned to the left.
    pub(super) const fn fixed(head: &'static str, priority: u8) -> Self {
        Column { head, align: Align::Left, min_width: usize::MAX, cut: Cut::End, priority }
    }

    pub(super) const fn number(head: &'static str, priority: u8) -> Self {
        Column { align: Align::Right, ..Column::fixed(head, priority) }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell { text: text.into(), paint: None }
    }
}

impl Cell {
    pub(super) fn painted(text: impl Into<String>, paint: Paint) -> Self {
        Cell { text: text.into(), paint: Some(paint) }
    }
}

impl Paint {
    pub(super) fn on(self, text: &str, style: &TextStyle) -> String {
        if !style.colour || text.is_empty() {
            return text.to_owned();
        }
        let style = match self {
            Paint::Good => AnsiColor::Green.on_default(),
            Paint::Notice => AnsiColor::Yellow.on_default(),
            Paint::Bad => AnsiColor::Red.on_default(),
            Paint::Dim => Style::new().dimmed(),
            Paint::Bold => Style::new().bold(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// A heading and one line for each row, without columns that are empty.
pub(super) fn table<const N: usize>(columns: &[Column; N], rows: &[[Cell; N]], style: &TextStyle) -> String {
    let natural: Vec<usize> = (0..N)
        .map(|at| {
            let content = rows.iter().map(|row| width(&row[at].text)).max().unwrap_or(0);
            if content == 0 { 0 } else { content.max(width(columns[at].head)) }
        })
        .collect();
    let widths = arrange(columns, natural, style.width);
    let head = columns.each_ref().map(|column| Cell::painted(column.head, Paint::Bold));
    let mut text = line(columns, &head, &widths, style);
    for row in rows {
        text.push_str(&line(columns, row, &widths, style));
    }
    text
}

/// Returns the width of each column; 0 leaves it out.
fn arrange(columns: &[Column], mut natural: Vec<usize>, room: Option<usize>) -> Vec<usize> {
    let Some(room) = room else { return natural };
    loop {
        let mut widths = natural.clone();
        let Some(mut over) = total(&widths).checked_sub(room).filter(|over| *over > 0) else { return widths };
        // Columns of low priority are narrowed first, each down to its minimum.
        let mut by_priority: Vec<usize> = (0..columns.len()).collect();
        by_priority.sort_by_key(|&at| columns[at].priority);
        for at in by_priority {
            let gives = widths[at].saturating_sub(columns[at].min_width).min(over);
            widths[at] -= gives;
            over -= gives;
        }
        if over == 0 {
            return widths;
        }
        let shown = (0..columns.len()).filter(|&at| natural[at] > 0);
        match shown.clone().min_by_key(|&at| columns[at].priority) {
            Some(at) if shown.count() > 1 => natural[at] = 0,
            // The last column takes the rest.
            Some(at) => {
                widths[at] = room;
                return widths;
            }
            None => return widths,
        }
    }
}

fn total(widths: &[usize]) -> usize {
    let shown = widths.iter().filter(|width| **width > 0);
    widths.iter().sum::<usize>() + GAP * shown.count().saturating_sub(1)
}

fn line(columns: &[Column], cells: &[Cell], widths: &[usize], style: &TextStyle) -> String {
    let mut text = String::new();
    // Spaces come before the next cell, so a line does not end with spaces.
    let mut gap = 0;
    let shown = columns.iter().zip(cells).zip(widths).filter(|(_, width)| **width > 0);
    for (nth, ((column, cell), &room)) in shown.enumerate() {
        let content = match column.cut {
            Cut::End => cut_end(&cell.text, room),
            Cut::Name => cut_name(&cell.text, room),
        };
        let rest = room - width(&content);
        gap += if nth > 0 { GAP } else { 0 };
        if column.align == Align::Right {
            gap += rest;
        }
        if !content.is_empty() {
            text.extend(std::iter::repeat_n(' ', std::mem::take(&mut gap)));
            text.push_str(&cell.paint.map_or_else(|| content.to_string(), |paint| paint.on(&content, style)));
        }
        if column.align == Align::Left {
            gap += rest;
        }
    }
    // A gap at the end of a sparkline is invisible.
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::UsageMode;

    const COLUMNS: [Column; 3] = [
        Column { head: "NAME", align: Align::Left, min_width: 6, cut: Cut::Name, priority: 9 },
        Column::number("N", 2),
        Column { head: "NOTE", align: Align::Left, min_width: 4, cut: Cut::End, priority: 1 },
    ];

    fn shown(rows: &[[&str; 3]], width: Option<usize>) -> Vec<String> {
        let rows: Vec<[Cell; 3]> = rows.iter().map(|row| row.map(Cell::from)).collect();
        let text = table(&COLUMNS, &rows, &TextStyle { width, colour: false, usage: UsageMode::Left });
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be_and_give_way_when_they_have_to() {
        let rows = [["ada@example.com", "7", "a note"], ["bob", "1234", ""]];
        assert_eq!(
            shown(&rows, None),
            [
                "NAME                N  NOTE", //
                "ada@example.com     7  a note",
                "bob              1234",
            ]
        );
        assert_eq!(
            shown(&rows, Some(24)),
            ["NAME             N  NOTE", "ada@example…     7  a n…", "bob           1234"]
        );
        // Without room the number and the note are left out.
        assert_eq!(shown(&rows, Some(13)), ["NAME        N", "ada…com     7", "bob      1234"]);
        assert_eq!(shown(&rows, Some(5)), ["NAME", "ad…om", "bob"]);
    }

    #[test]
    fn colours_take_no_room() {
        let rows = [[Cell::painted("ada", Paint::Good), "1".into(), "x".into()]];
        let text =
            table(&COLUMNS, &rows, &TextStyle { width: Some(80), colour: true, usage: UsageMode::Left });
        assert_eq!(text.lines().last(), Some("\u{1b}[32mada\u{1b}[0m   1  x"));
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_the_terminal(
            rows in prop::collection::vec(("\\PC{0,60}", "[0-9]{0,9}", "\\PC{0,60}"), 0..6),
            room in 1..100usize,
        ) {
            let rows: Vec<[Cell; 3]> =
                rows.into_iter().map(|(name, number, note)| [name.into(), number.into(), note.into()]).collect();
            let text = table(&COLUMNS, &rows, &TextStyle { width: Some(room), ..TextStyle::plain(UsageMode::Left) });
            for line in text.lines() {
                prop_assert!(width(line) <= room, "{line:?}");
            }
        }
    }
}
