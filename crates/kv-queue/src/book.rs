//! The code of the book's pages is a test, each page by its name.

/// Compiles and runs each page.
macro_rules! pages {
    ($($name:ident: $page:literal,)*) => {
        $(
            #[doc = include_str!($page)]
            struct $name;
        )*
    };
}

pages! {
    Tour: "../../../docs/tour.md",
    Backend: "../../../docs/tasks/backend.md",
    Cache: "../../../docs/tasks/cache.md",
    ChangedPayload: "../../../docs/tasks/changed-payload.md",
    Crawler: "../../../docs/tasks/crawler.md",
    RateLimits: "../../../docs/tasks/rate-limits.md",
    Results: "../../../docs/tasks/results.md",
    Schedules: "../../../docs/tasks/schedules.md",
    Sessions: "../../../docs/tasks/sessions.md",
    Tests: "../../../docs/tasks/tests.md",
    Timeouts: "../../../docs/tasks/timeouts.md",
}
