//! The page on a terminal of cells: what is drawn, and what keys do.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{Clock, Store, SystemClock};
use kv_dashboard::{QueueSample, Sampler, Snapshot};
use kv_queue::{Job, Queue, QueueStats};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::draw::draw;
use super::feed::News;
use super::page::{Page, Step};
use super::reading::{Reading, read};

async fn store() -> Store {
    let config = kv_config::Config::builder().store_type("memory").build().unwrap();
    config.open().await.unwrap()
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A queue as a count tells it.
async fn sample(name: &str) -> QueueSample {
    let store = store().await;
    Queue::<u32>::open(&store, "any").await.unwrap();
    let counted = Sampler::new(store, clock(), seconds(2)).snapshot().await;
    let mut sample = counted.queues[0].clone();
    sample.name = name.to_owned();
    let mut stats = QueueStats::default();
    (stats.ready, stats.leased, stats.timed) = (1_234_567, 8, 3);
    stats.oldest_ready = Some(seconds(200));
    (sample.stats, sample.partitions) = (Ok(stats), 4);
    (sample.done_per_second, sample.added_per_second) = (Some(850.4), Some(0.5));
    (sample.waiting, sample.done) = (vec![9.0, 3.0], vec![0.0, 425.0, 850.0]);
    sample
}

fn counted(queues: Vec<QueueSample>) -> News {
    let mut snapshot = Snapshot::default();
    (snapshot.listed, snapshot.queues, snapshot.date) = (queues.len(), queues, seconds(100));
    News::Counted(Arc::new(snapshot))
}

/// Three queues, counted three seconds ago: one that works, a paused one, one that cannot be counted.
async fn page() -> Page {
    let (busy, mut idle, mut odd) =
        (sample("crawl").await, sample("mails").await, sample("odd").await);
    let mut stats = QueueStats::default();
    (stats.paused, stats.dead) = (true, 12);
    (idle.stats, idle.done_per_second, idle.added_per_second) = (Ok(stats), None, None);
    (odd.stats, odd.done, idle.done) = (Err("it is away".to_owned()), vec![], vec![]);
    let mut page = Page::new(None);
    page.take(counted(vec![busy, idle, odd]));
    page.now(seconds(50), seconds(103));
    page
}

/// The lines of a terminal of this size, without the blanks at their ends.
fn shown(page: &mut Page, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, page)).unwrap();
    let lines = terminal.backend().buffer().content.chunks(usize::from(width));
    let text = |line: &[Cell]| line.iter().map(Cell::symbol).collect::<String>();
    lines.map(|line| text(line).trim_end().to_owned()).collect()
}

fn press(page: &mut Page, code: KeyCode) -> Step {
    page.press(KeyEvent::new(code, KeyModifiers::NONE))
}

#[tokio::test]
async fn a_small_terminal_shows_what_matters_most() {
    assert_eq!(
        shown(&mut page().await, 40, 10),
        [
            "3 queues, 3s ago",
            "QUEUE              READY RUNNING    DEAD",
            "crawl            1234567       8       0",
            "(paused) mails         0       0      12",
            "(no answer) odd        ?       ?       ?",
            "",
            "",
            "",
            "",
            "q quit  Enter open  Up/Down choose",
        ]
    );
}

#[tokio::test]
async fn a_wide_terminal_shows_ages_rates_and_bars() {
    assert_eq!(
        shown(&mut page().await, 104, 6)[1..5],
        [
            "QUEUE                     READY RUNNING    DEAD  OLDEST  DONE/S DELAYED ADDED/S  DONE/S, LATEST AT RIGHT",
            "crawl                   1234567       8       0   3m20s     850       3     0.5                      ▁▅█",
            "(paused) mails                0       0      12       -       -       0       -",
            "(no answer) odd               ?       ?       ?       ?       ?       ?       ?                        ?",
        ]
    );
}

#[tokio::test]
async fn every_size_can_be_drawn() {
    for name in [None, Some("crawl"), Some("gone")] {
        let mut page = page().await;
        if let Some(name) = name {
            page = Page::new(Some(name.to_owned()));
            page.take(counted(vec![sample("crawl").await]));
        }
        for (width, height) in (1..60).flat_map(|width| (1..20).map(move |height| (width, height)))
        {
            shown(&mut page, width, height);
        }
        assert_eq!(shown(&mut page, 200, 60).len(), 60);
    }
}

#[tokio::test]
async fn a_queue_opens_with_its_figures_and_closes() {
    let mut page = page().await;
    assert_eq!(press(&mut page, KeyCode::Enter), Step::Stay);
    assert_eq!(
        shown(&mut page, 44, 14),
        [
            "3 queues, 3s ago",
            "crawl",
            "ready      1234567  delayed          3",
            "running          8  dead             0",
            "done/s         850  added/s        0.5",
            "oldest       3m20s  done             0",
            "added            0  cancelled        0",
            "evicted          0  partitions       4",
            "waiting  █▃",
            "done/s   ▁▅█",
            "reading jobs, groups and workers",
            "",
            "",
            "q quit  Esc back  Up/Down scroll",
        ]
    );
    assert_eq!(press(&mut page, KeyCode::Esc), Step::Stay);
    assert!(shown(&mut page, 40, 10)[2].starts_with("crawl"));
}

#[tokio::test]
async fn keys_choose_a_queue_that_stays_chosen_when_others_come() {
    let mut page = page().await;
    for (code, row) in [
        (KeyCode::Up, 0),
        (KeyCode::Down, 1),
        (KeyCode::Char('j'), 2),
        (KeyCode::PageDown, 2),
        (KeyCode::Home, 0),
        (KeyCode::End, 2),
        (KeyCode::Char('k'), 1),
        (KeyCode::Char('x'), 1),
    ] {
        assert_eq!((press(&mut page, code), page.row()), (Step::Stay, row), "{code:?}");
    }
    page.take(counted(vec![sample("a").await, sample("b").await, sample("mails").await]));
    assert_eq!((page.row(), &*page.chosen().unwrap().name), (2, "mails"));
    page.take(counted(vec![sample("a").await]));
    assert_eq!((page.row(), &*page.chosen().unwrap().name), (0, "a"));
}

#[tokio::test]
async fn q_escape_and_control_c_leave() {
    assert_eq!(press(&mut page().await, KeyCode::Char('q')), Step::Leave);
    assert_eq!(press(&mut page().await, KeyCode::Esc), Step::Leave);
    assert_eq!(press(&mut page().await, KeyCode::Char('c')), Step::Stay);
    let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(page().await.press(control), Step::Leave);
    let mut open = Page::new(Some("mails".to_owned()));
    assert_eq!(press(&mut open, KeyCode::Char('q')), Step::Leave);
}

#[tokio::test]
async fn a_store_that_is_silent_or_fails_is_told_beside_the_last_figures() {
    let mut page = Page::new(None);
    assert_eq!(shown(&mut page, 60, 4)[0], "asking the store");
    page.take(News::Asked(seconds(10)));
    page.now(seconds(14), seconds(103));
    assert_eq!(shown(&mut page, 60, 4)[0], "no answer for 4s");
    page.take(counted(vec![sample("mails").await]));
    page.take(News::Asked(seconds(14)));
    page.now(seconds(17), seconds(106));
    assert_eq!(shown(&mut page, 60, 4)[0], "no answer for 3s; 1 queue, 6s ago");
    let mut failed = page.snapshot().unwrap().clone();
    failed.failed = Some("refused\u{1b}[2J".to_owned());
    page.take(News::Counted(Arc::new(failed)));
    let lines = shown(&mut page, 60, 4);
    assert_eq!(lines[0], r"STORE FAILS; 1 queue, 6s ago; refused\u{1b}[2J");
    assert!(lines[2].starts_with("mails"), "{lines:?}");
    page.take(counted(vec![]));
    assert_eq!(shown(&mut page, 60, 4)[1], "this store has no queue");
}

#[tokio::test]
async fn a_hostile_name_is_drawn_harmless_and_within_its_column() {
    let mut page = Page::new(None);
    for name in ["odd\u{1b}[2J\u{7}", "\u{202e}dlrow", "a\nb\tc", &"漢".repeat(100_000), "e\u{301}"]
    {
        page.take(counted(vec![sample(name).await]));
        for _ in 0..2 {
            let cells = shown(&mut page, 60, 20).concat();
            assert!(!cells.contains(|c: char| c.is_control() || c == '\u{202e}'), "{cells:?}");
            press(&mut page, KeyCode::Enter);
        }
        press(&mut page, KeyCode::Esc);
        assert!(shown(&mut page, 60, 20)[2].contains("1234567"), "{name:.20}");
    }
}

/// A store whose queue has a worker's jobs in every state, with failures that try to move the cursor.
async fn busy() -> Store {
    let store = store().await;
    let queue = Queue::<String>::open(&store, "crawl").await.unwrap();
    let job = |page: &str| Job::new(format!("secret {page}")).group("example.org");
    queue.enqueue_many(["a", "b", "c", "d"].map(job)).await.unwrap();
    let claimed = queue.dequeue(3).await.unwrap();
    claimed[0].fail("no such host\u{1b}[2J").await.unwrap();
    claimed[1].retry(seconds(600)).await.unwrap();
    queue.pause_group("example.org", Duration::MAX).await.unwrap();
    store
}

#[tokio::test]
async fn an_open_queue_shows_running_jobs_groups_and_failures_and_no_payload() {
    let store = busy().await;
    let mut page = Page::new(Some("crawl".to_owned()));
    page.take(counted(vec![sample("crawl").await]));
    let reading = read(&store, &clock(), "crawl".to_owned()).await;
    page.now(reading.taken, clock().wall());
    page.take(News::Read(reading));
    let text = shown(&mut page, 200, 60).join("\n");
    for part in [
        "RUNNING, the longest first\n",
        "  attempt 1  lease 2",
        "  group example.org\n",
        "GROUPS\nexample.org  1 waiting  1 running  paused without end\n",
        "TRIED AGAIN, the next first\n",
        "DEAD LETTERS, the newest first\n",
        r"s ago  failures 1  group example.org: no such host\u{1b}[2J",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn the_lines_of_a_queue_scroll_to_the_last_and_no_further() {
    let mut page = Page::new(Some("crawl".to_owned()));
    page.take(counted(vec![sample("crawl").await]));
    assert_eq!(shown(&mut page, 40, 6)[1], "crawl");
    press(&mut page, KeyCode::Down);
    assert_eq!(shown(&mut page, 40, 6)[1], "ready      1234567  delayed          3");
    press(&mut page, KeyCode::End);
    assert_eq!(shown(&mut page, 40, 6)[4], "reading jobs, groups and workers");
    press(&mut page, KeyCode::Up);
    assert_eq!(shown(&mut page, 40, 6)[4], "done/s   ▁▅█");
}

#[tokio::test]
async fn a_reading_is_of_the_open_queue_or_dropped_and_may_have_failed() {
    let read = |queue: &str, why: &str| {
        let (queue, found) = (queue.to_owned(), Err(why.to_owned()));
        News::Read(Reading { queue, taken: seconds(1), found })
    };
    let mut page = Page::new(Some("gone".to_owned()));
    page.take(read("other", "of another"));
    assert_eq!(shown(&mut page, 60, 4)[1..3], ["gone", "reading jobs, groups and workers"]);
    page.take(read("gone", "there is no such queue"));
    assert_eq!(shown(&mut page, 60, 4)[1..3], ["gone", "not read: there is no such queue"]);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_read_as_such() {
    let reading = read(&store().await, &clock(), "gone".to_owned()).await;
    assert_eq!(reading.found.err().as_deref(), Some("there is no such queue"));
}
