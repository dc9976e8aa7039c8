//! All queues: a row each, with as many columns as the terminal has room for.

use kv_dashboard::QueueSample;
use kv_queue::QueueStats;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row, Table, TableState};

use super::bars::{bars, number, rate, span, text};
use super::page::Page;

pub(super) const HEADING: Style = Style::new().add_modifier(Modifier::BOLD);

/// The least room for a queue's name.
const NAME: u16 = 12;

/// How many points the line of a queue has.
const POINTS: u16 = 24;

struct Column {
    heading: &'static str,
    width: u16,
    /// The least width of the terminal that has room for it.
    from: u16,
    cell: fn(&QueueSample, &QueueStats) -> String,
}

const fn column(
    heading: &'static str,
    from: u16,
    cell: fn(&QueueSample, &QueueStats) -> String,
) -> Column {
    Column { heading, width: 7, from, cell }
}

const COLUMNS: [Column; 8] = [
    column("READY", 0, |_, stats| number(stats.ready)),
    column("RUNNING", 30, |_, stats| number(stats.leased)),
    column("DEAD", 36, |_, stats| number(stats.dead)),
    column("OLDEST", 45, |_, stats| stats.oldest_ready.map_or_else(|| "-".to_owned(), span)),
    column("DONE/S", 53, |queue, _| rate(queue.done_per_second)),
    column("DELAYED", 61, |_, stats| number(stats.timed)),
    column("ADDED/S", 69, |queue, _| rate(queue.added_per_second)),
    Column {
        heading: "DONE/S, LATEST AT RIGHT",
        width: POINTS,
        from: 100,
        cell: |queue, _| bars(&queue.done, usize::from(POINTS)),
    },
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, page: &Page) {
    if page.queues().is_empty() {
        if page.snapshot().is_some_and(|last| last.failed.is_none()) {
            frame.render_widget(Line::raw("this store has no queue"), area);
        }
        return;
    }
    let columns: Vec<_> = COLUMNS.iter().filter(|column| column.from <= area.width).collect();
    let headings = columns.iter().map(|column| Line::raw(column.heading).right_aligned().into());
    let header = Row::new([Cell::from("QUEUE")].into_iter().chain(headings));
    let rows = page.queues().iter().map(|queue| row(&columns, queue));
    let widths = columns.iter().map(|column| Constraint::Length(column.width));
    let table = Table::new(rows, [Constraint::Min(NAME)].into_iter().chain(widths))
        .header(header.style(HEADING))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(page.row());
    frame.render_stateful_widget(table, area, &mut state);
}

fn row(columns: &[&Column], queue: &QueueSample) -> Row<'static> {
    let cells = columns.iter().map(|column| {
        let counted = queue.stats.as_ref().map(|stats| (column.cell)(queue, stats));
        Cell::from(Line::raw(counted.unwrap_or_else(|_| "?".to_owned())).right_aligned())
    });
    Row::new([Cell::from(title(queue))].into_iter().chain(cells))
}

/// The name, behind what is unusual about the queue: a narrow table cuts the end.
pub(super) fn title(queue: &QueueSample) -> String {
    let name = text(&queue.name);
    match &queue.stats {
        Ok(stats) if stats.paused => format!("(paused) {name}"),
        Ok(_) => name,
        Err(_) => format!("(no answer) {name}"),
    }
}
