//! Waiting for jobs.

use super::*;

const LONG: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_timeout() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    let before = tokio::time::Instant::now();
    let named = engine.wait(&[partition()], Duration::from_secs(3)).await.unwrap();
    assert!(named.is_empty());
    assert_eq!(before.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_job_of_another_process_ends_a_wait_within_a_quarter_second() {
    let store = Arc::new(MapStore::default());
    let (engine, other) = (open(&store).await, engine(&store, 2));
    other.open("q", 1).await.unwrap();
    let producer = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        other.submit(&partition(), submit(&["a"])).await.unwrap();
        tokio::time::Instant::now()
    };
    let partitions = [partition()];
    let (submitted, waited) = tokio::join!(producer, engine.wait(&partitions, LONG));
    assert_eq!(waited.unwrap(), [0]);
    assert!(submitted.elapsed() <= Duration::from_millis(251));
}

#[tokio::test(start_paused = true)]
async fn a_job_of_this_engine_ends_a_wait_at_once() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    let before = tokio::time::Instant::now();
    let partitions = [partition()];
    let waited = engine.wait(&partitions, LONG);
    let (submitted, waited) = tokio::join!(engine.submit(&partitions[0], submit(&["a"])), waited);
    submitted.unwrap();
    assert_eq!(waited.unwrap(), [0]);
    assert!(before.elapsed() < Duration::from_millis(5));
    engine.wait(&[partition()], LONG).await.unwrap();
}
