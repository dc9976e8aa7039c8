//! What an operator changes, and what that needs.

use std::time::Duration;

use kv_queue::{Cron, GroupBlock, Job};
use serde_json::json;

use crate::place::Place;

pub(crate) async fn a_queue_is_paused_and_resumed(place: &Place) {
    let queue = place.queue("mails").await;
    let operator = place.operator();
    operator.get("/queue?queue=mails").await.hides(&["Paused"]);
    let page = operator.done(&[("queue", "mails"), ("action", "pause")]).await;
    page.shows(&["The queue is paused.", "Paused: "]);
    assert!(queue.stats().await.unwrap().paused);
    let page = operator.done(&[("queue", "mails"), ("action", "resume")]).await;
    page.shows(&["The pause has ended."]).hides(&["Paused: "]);
    assert!(!queue.stats().await.unwrap().paused);
}

pub(crate) async fn a_queue_is_cleared_and_deleted_only_when_its_name_is_written(place: &Place) {
    let queue = place.queue("mails").await;
    queue.enqueue_many([json!(1), json!(2)]).await.unwrap();
    let operator = place.operator();
    for action in ["clear", "delete"] {
        for wrong in ["", "mail", "yes"] {
            let fields = [("queue", "mails"), ("action", action), ("confirm", wrong)];
            let refused = operator.act(&fields).await;
            assert_eq!(refused.status, 400, "{action} {wrong:?}");
            assert!(refused.text.contains("nothing was changed"), "{}", refused.text);
        }
    }
    assert_eq!(queue.stats().await.unwrap().ready, 2);
    let fields = |action| [("queue", "mails"), ("action", action), ("confirm", "mails")];
    operator.done(&fields("clear")).await.shows(&["Jobs removed: 2", "<dt>Ready</dt><dd>0</dd>"]);
    operator.done(&fields("delete")).await.shows(&["The queue is deleted.", "No queue."]);
    assert!(kv_queue::queue_names(&place.store).await.unwrap().is_empty());
    assert_eq!(operator.act(&fields("delete")).await.status, 404);
}

pub(crate) async fn selected_dead_letters_are_redriven_or_discarded(place: &Place) {
    let queue = place.dead("mails", &["a", "b", "c", "d"]).await;
    let letters = queue.dead_letters(9).await.unwrap();
    let ids: Vec<_> = letters.iter().map(|letter| letter.id.to_string()).collect();
    let operator = place.operator();
    let of = |action, ids: [&str; 2]| {
        [("queue", "mails"), ("action", action), ("id", ids[0]), ("id", ids[1])]
            .map(|(k, v)| (k, v.to_owned()))
    };
    let redrive = of("redrive:selected", [&ids[0], &ids[1]]);
    let redrive: Vec<_> = redrive.iter().map(|(k, v)| (*k, v.as_str())).collect();
    operator.done(&redrive).await.shows(&["ready again: 2", "2 dead letters."]);
    let discard = of("discard:selected", [&ids[2], &ids[0]]);
    let discard: Vec<_> = discard.iter().map(|(k, v)| (*k, v.as_str())).collect();
    operator.done(&discard).await.shows(&["discarded: 1", "1 dead letters."]);
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.ready, stats.dead), (2, 1));
    let none = operator.act(&[("queue", "mails"), ("action", "redrive:selected")]).await;
    assert_eq!(none.status, 400, "{}", none.text);
    let foreign = [("queue", "mails"), ("action", "discard:selected"), ("id", "9-8000000000002a")];
    assert_eq!(operator.act(&foreign).await.status, 400, "an id of another queue");
}

pub(crate) async fn a_delayed_job_is_run_now_and_a_job_is_cancelled(place: &Place) {
    let (queue, operator) = (place.queue("mails").await, place.operator());
    let job = Job::new(json!(1)).delay(Duration::from_secs(3_600));
    let id = queue.enqueue(job).await.unwrap().id().to_string();
    let fields = |action| [("queue", "mails"), ("action", action), ("id", &*id)];
    operator.done(&fields("run-now:selected")).await.shows(&["Jobs that run now: 1"]);
    assert_eq!(queue.stats().await.unwrap().ready, 1);
    operator.done(&fields("cancel:selected")).await.shows(&["Jobs cancelled: 1", "No job here."]);
    assert_eq!(queue.stats().await.unwrap().cancelled, 1);
}

pub(crate) async fn dead_letters_of_one_reason_are_redriven_or_discarded(place: &Place) {
    let queue = place.dead("mails", &["lost\n1", "lost\n2", "refused", "full"]).await;
    let operator = place.operator();
    let fields = [("queue", "mails"), ("action", "redrive:reason"), ("reason", "lost")];
    operator.done(&fields).await.shows(&["ready again: 2", "refused", "full"]).hides(&["lost"]);
    let fields = [("queue", "mails"), ("action", "discard:reason"), ("reason", "full")];
    assert_eq!(operator.act(&fields).await.status, 400, "without consent");
    let fields = [&fields[..], &[("confirm", "yes")]].concat();
    operator.done(&fields).await.shows(&["discarded: 1"]);
    let left = queue.dead_letters(9).await.unwrap();
    assert_eq!(left.iter().map(|letter| &*letter.reason).collect::<Vec<_>>(), ["refused"]);
}

pub(crate) async fn all_dead_letters_are_redriven_or_discarded(place: &Place) {
    let queue = place.dead("mails", &["a", "b", "c"]).await;
    let operator = place.operator();
    let redrive = [("queue", "mails"), ("action", "redrive:all")];
    operator.done(&redrive).await.shows(&["ready again: 3", "0 dead letters."]);
    for delivery in queue.dequeue(9).await.unwrap() {
        delivery.fail("again").await.unwrap();
    }
    let discard = [("queue", "mails"), ("action", "discard:all")];
    assert_eq!(operator.act(&discard).await.status, 400, "without consent");
    assert_eq!(queue.stats().await.unwrap().dead, 3);
    let discard = [&discard[..], &[("confirm", "yes")]].concat();
    operator.done(&discard).await.shows(&["discarded: 3"]);
    assert_eq!(queue.stats().await.unwrap().dead, 0);
}

pub(crate) async fn a_group_is_paused_and_resumed(place: &Place) {
    let queue = place.queue("fetch").await;
    queue.enqueue(Job::new(json!(1)).group("a.example")).await.unwrap();
    let operator = place.operator();
    let fields = |action| {
        [("queue", "fetch"), ("action", action), ("group", "a.example"), ("minutes", "90")]
    };
    operator.done(&fields("pause-group")).await.shows(&["The group is paused.", " for 1 h "]);
    let block = queue.groups().await.unwrap()[0].block;
    assert!(
        matches!(block, Some(GroupBlock::Paused(left)) if left > Duration::from_secs(5_300)),
        "{block:?}"
    );
    operator.done(&fields("resume-group")).await.shows(&["pause has ended.", "nothing"]);
    assert_eq!(queue.groups().await.unwrap()[0].block, None);
    let bad =
        [("queue", "fetch"), ("action", "pause-group"), ("group", "a\u{7}"), ("minutes", "1")];
    assert_eq!(operator.act(&bad).await.status, 400);
}

pub(crate) async fn a_schedule_is_paused_resumed_and_run(place: &Place) {
    let queue = place.queue("reports").await;
    let cron = Cron::new("30 2 * * *", "UTC").unwrap();
    queue.schedule("daily", cron, Job::new(json!("report"))).await.unwrap();
    let operator = place.operator();
    let fields = |action| [("queue", "reports"), ("action", action), ("schedule", "daily")];
    operator.done(&fields("pause-schedule")).await.shows(&["schedule is paused.", ">paused<"]);
    operator
        .done(&fields("resume-schedule"))
        .await
        .shows(&["pause has ended."])
        .hides(&[">paused<"]);
    operator.done(&fields("run-schedule")).await.shows(&["is enqueued."]);
    assert_eq!(queue.stats().await.unwrap().ready, 1);
    let none = [("queue", "reports"), ("action", "run-schedule"), ("schedule", "weekly")];
    assert_eq!(operator.act(&none).await.status, 404);
}

pub(crate) async fn a_read_only_dashboard_refuses_every_action(place: &Place) {
    let queue = place.dead("mails", &["a"]).await;
    let id = queue.dead_letters(1).await.unwrap()[0].id.to_string();
    let viewer = place.viewer();
    let before = queue.stats().await.unwrap();
    for action in [
        "pause",
        "resume",
        "clear",
        "delete",
        "redrive:selected",
        "redrive:reason",
        "redrive:all",
        "discard:selected",
        "discard:reason",
        "discard:all",
        "pause-group",
        "resume-group",
        "pause-schedule",
        "resume-schedule",
        "run-schedule",
        "unknown",
    ] {
        let answer = viewer
            .act(&[
                ("queue", "mails"),
                ("action", action),
                ("confirm", "mails"),
                ("id", &id),
                ("reason", "a"),
                ("group", "a"),
                ("minutes", "1"),
                ("schedule", "a"),
            ])
            .await;
        assert_eq!(answer.status, 403, "{action}");
        assert!(answer.text.contains("read-only"), "{}", answer.text);
    }
    assert_eq!(queue.stats().await.unwrap(), before);
}
