//! One queue, line by line: its figures, workers, running jobs, groups and failures.

use std::time::Duration;

use kv_dashboard::QueueSample;
use kv_queue::{GroupBlock, GroupState, JobInfo, JobStatus, QueueStats, WorkerInfo};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::bars::{ENDLESS, bars, number, rate, span, text};
use super::page::Page;
use super::reading::{Found, at};
use super::table::{HEADING, title};

/// The room for one figure and its name.
const FIGURE: usize = 20;

/// How many rows a list has at most.
const ROWS: usize = 20;

/// Draws the lines that fit, and keeps the page from scrolling behind the last.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, page: &mut Page) {
    let lines = lines(page, usize::from(area.width));
    let last = lines.len().saturating_sub(usize::from(area.height));
    page.above = page.above.min(last);
    let above = u16::try_from(page.above).unwrap_or(u16::MAX);
    frame.render_widget(Paragraph::new(lines).scroll((above, 0)), area);
}

fn lines(page: &Page, width: usize) -> Vec<Line<'static>> {
    let mut lines = match page.chosen() {
        Some(queue) => figures(queue, width),
        None => vec![Line::styled(page.open().map(text).unwrap_or_default(), HEADING)],
    };
    match page.reading() {
        None => lines.push(Line::raw("reading jobs, groups and workers")),
        Some(Err(why)) => lines.push(Line::raw(format!("not read: {}", text(why)))),
        Some(Ok((found, age))) => lists(&mut lines, page, found, age),
    }
    lines
}

fn figures(queue: &QueueSample, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(title(queue), HEADING)];
    let stats = match &queue.stats {
        Ok(stats) => stats,
        Err(why) => {
            lines.push(Line::raw(text(why)));
            return lines;
        }
    };
    let cells = cells(queue, stats).map(|(name, value)| format!("{name:<11}{value:>7}  "));
    let a_line = (width / FIGURE).clamp(1, cells.len());
    lines.extend(cells.chunks(a_line).map(|cells| Line::raw(cells.concat())));
    for (name, points) in [("waiting", &queue.waiting), ("done/s", &queue.done)] {
        if points.len() > 1 {
            let bars = bars(points, width.saturating_sub(9));
            lines.push(Line::raw(format!("{name:<8} {bars}")));
        }
    }
    lines
}

fn cells(queue: &QueueSample, stats: &QueueStats) -> [(&'static str, String); 12] {
    [
        ("ready", number(stats.ready)),
        ("delayed", number(stats.timed)),
        ("running", number(stats.leased)),
        ("dead", number(stats.dead)),
        ("done/s", rate(queue.done_per_second)),
        ("added/s", rate(queue.added_per_second)),
        ("oldest", stats.oldest_ready.map_or_else(|| "-".to_owned(), span)),
        ("done", number(stats.done)),
        ("added", number(stats.entered)),
        ("cancelled", number(stats.cancelled)),
        ("evicted", number(stats.evicted)),
        ("partitions", queue.partitions.to_string()),
    ]
}

/// What was read, `age` ago; times are told as of now.
fn lists(lines: &mut Vec<Line<'static>>, page: &Page, found: &Found, age: Duration) {
    let dead = if found.more_dead {
        "DEAD LETTERS, some of the oldest"
    } else {
        "DEAD LETTERS, the newest first"
    };
    list(lines, "WORKERS", &found.workers, worker);
    list(lines, "RUNNING, the longest first", &found.running, |job| running(job, page.date, age));
    list(lines, "GROUPS", &found.groups, |group| self::group(group, age));
    list(lines, "TRIED AGAIN, the next first", &found.retries, |job| retry(job, age));
    list(lines, dead, &found.dead, |job| letter(job, page.date));
}

fn list<T>(lines: &mut Vec<Line<'static>>, name: &str, items: &[T], line: impl Fn(&T) -> String) {
    if items.is_empty() {
        return;
    }
    let cut = if items.len() > ROWS { format!(" ({ROWS} are shown)") } else { String::new() };
    lines.push(Line::default());
    lines.push(Line::styled(format!("{name}{cut}"), HEADING));
    lines.extend(items.iter().take(ROWS).map(|item| Line::raw(line(item))));
}

fn worker(worker: &WorkerInfo) -> String {
    let WorkerInfo { name, host, pid, version, busy, concurrency, .. } = worker;
    let (name, host, version) = (text(name), text(host), text(version));
    format!("{name}  {busy} of {concurrency} busy  host {host}  process {pid}  version {version}")
}

fn running(job: &JobInfo, date: Duration, age: Duration) -> String {
    let lease = match &job.status {
        JobStatus::Running { lease_left, .. } => lease_left.saturating_sub(age),
        _ => Duration::ZERO,
    };
    let (id, runs, lease) = (job.id, span(date.saturating_sub(at(job))), span(lease));
    let progress = job.progress.map(|at| format!("  progress {at}")).unwrap_or_default();
    let attempt = job.attempt;
    format!("{id}  for {runs}  attempt {attempt}  lease {lease}{progress}{}", of_group(job))
}

fn of_group(job: &JobInfo) -> String {
    job.group.as_ref().map(|group| format!("  group {}", text(group))).unwrap_or_default()
}

fn group(group: &GroupState, age: Duration) -> String {
    let left = |left: Duration| span(left.saturating_sub(age));
    let block = match group.block {
        None => String::new(),
        Some(GroupBlock::Concurrency) => "  as many run as may".to_owned(),
        Some(GroupBlock::Rate(time)) => format!("  limited by its rate for {}", left(time)),
        Some(GroupBlock::Paused(time)) if time >= ENDLESS => "  paused without end".to_owned(),
        Some(GroupBlock::Paused(time)) => format!("  paused for {}", left(time)),
    };
    let (name, waiting, running) = (text(&group.name), number(group.waiting), group.running);
    format!("{name}  {waiting} waiting  {running} running{block}")
}

fn retry(job: &JobInfo, age: Duration) -> String {
    let left = match &job.status {
        JobStatus::Delayed { left, .. } => left.saturating_sub(age),
        _ => Duration::ZERO,
    };
    let why = job.last_failure.as_deref().map(text).unwrap_or_default();
    format!("{}  in {}  attempt {}{}: {why}", job.id, span(left), job.attempt, of_group(job))
}

fn letter(job: &JobInfo, date: Duration) -> String {
    let why = match &job.status {
        JobStatus::Dead { reason, .. } => text(reason),
        _ => String::new(),
    };
    let died = span(date.saturating_sub(at(job)));
    format!("{}  {died} ago  failures {}{}: {why}", job.id, job.failures, of_group(job))
}
