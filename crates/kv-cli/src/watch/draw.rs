//! The page as text: a line of news, the queues or one of them, a line of keys. Nothing is coloured, so
//! nothing is told by colour.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::text::Line;

use super::bars::{span, text};
use super::page::Page;
use super::table::HEADING;
use super::{lines, table};

/// A store that answers later than this is said to be silent.
const SILENT: Duration = Duration::from_secs(2);

pub(super) fn draw(frame: &mut Frame<'_>, page: &mut Page) {
    let rows = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
    let [head, body, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Line::styled(status(page), HEADING), head);
    match page.open().is_some() {
        true => lines::draw(frame, body, page),
        false => table::draw(frame, body, page),
    }
    let keys = match page.open().is_some() {
        true => "q quit  Esc back  Up/Down scroll",
        false => "q quit  Enter open  Up/Down choose",
    };
    frame.render_widget(Line::raw(keys), foot);
}

/// What was counted and when; before that, what is wrong.
fn status(page: &Page) -> String {
    let silent = page.asking().filter(|asking| *asking >= SILENT);
    let silent = silent.map(|asking| format!("no answer for {}", span(asking)));
    let Some(last) = page.snapshot() else {
        return silent.unwrap_or_else(|| "asking the store".to_owned());
    };
    let counted = format!("{}, {} ago", queues(last), span(page.date.saturating_sub(last.date)));
    match (&last.failed, silent) {
        (Some(why), _) => format!("STORE FAILS; {counted}; {}", text(why)),
        (None, Some(silent)) => format!("{silent}; {counted}"),
        (None, None) => counted,
    }
}

fn queues(last: &kv_dashboard::Snapshot) -> String {
    match (last.queues.len(), last.listed) {
        (_, 1) => "1 queue".to_owned(),
        (shown, listed) if listed > shown => format!("{shown} of {listed} queues"),
        (_, listed) => format!("{listed} queues"),
    }
}
