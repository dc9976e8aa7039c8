//! What the scheduler promises.

use std::time::Duration;

use super::world::{MS, Mode, SECOND, World};

/// How long after its time a job in a healthy partition begins at most.
const PROMPT: Duration = Duration::from_millis(50);

/// Which partitions hang: so many of so many.
const HUNG: [(u32, u32); 4] = [(1, 24), (8, 24), (22, 64), (17, 24)];

/// Runs with a few seeds, which are printed where a run fails.
fn seeds(run: impl Fn(u64)) {
    for seed in 0..8 {
        println!("seed {seed}");
        run(seed);
    }
}

/// A world in which so many partitions hang from a time on.
fn world((hung, partitions): (u32, u32), seed: u64, from: Duration) -> (World, Vec<u32>) {
    let mut numbers: Vec<u32> = (0..partitions).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut numbers);
    let mut world = World::new(partitions, 16, seed);
    let healthy = numbers.split_off(hung as usize);
    world.run_until(from);
    numbers.iter().for_each(|number| world.place(*number).mode = Mode::Hangs);
    (world, healthy)
}

#[test]
fn a_due_job_begins_at_its_time_while_other_partitions_hang() {
    seeds(|seed| {
        for which in HUNG {
            let (mut world, healthy) = world(which, seed, SECOND);
            let chance = &mut fastrand::Rng::with_seed(seed);
            let mut jobs = Vec::new();
            for number in 0..which.1 {
                for due in [SECOND * 17, MS * chance.u32(2_000..40_000)] {
                    let job = world.job(number, due);
                    jobs.extend(healthy.contains(&number).then_some((job, due)));
                }
            }
            world.run_until(SECOND * 60);
            assert_eq!(world.late(&jobs, PROMPT), [], "{which:?} hang");
        }
    });
}

#[test]
fn a_submitted_job_begins_at_once_while_other_partitions_hang() {
    seeds(|seed| {
        for which in HUNG {
            let (mut world, healthy) = world(which, seed, SECOND);
            let chance = &mut fastrand::Rng::with_seed(seed);
            let mut jobs = Vec::new();
            for round in 0..40 {
                let number = chance.u32(0..which.1);
                let at = SECOND * 2 + MS * (round * 700 + chance.u32(0..700));
                let job = world.submit_at(number, at);
                jobs.extend(healthy.contains(&number).then_some((job, at)));
            }
            world.run_until(SECOND * 60);
            assert_eq!(world.late(&jobs, PROMPT * 2), [], "{which:?} hang");
        }
    });
}

#[test]
fn a_backlog_is_worked_off_while_most_partitions_hang() {
    seeds(|seed| {
        let (mut world, healthy) = world((17, 24), seed, Duration::ZERO);
        let jobs: Vec<_> = healthy.iter().flat_map(|number| vec![*number; 1_000]).collect();
        let jobs: Vec<_> =
            jobs.into_iter().map(|it| (world.job(it, Duration::ZERO), Duration::ZERO)).collect();
        world.run_until(SECOND * 4);
        assert_eq!(world.late(&jobs, SECOND * 4), [], "7,000 jobs of 1 ms, 16 at a time");
    });
}

#[test]
fn no_more_is_held_than_there_is_room_for_while_partitions_answer() {
    seeds(|seed| {
        let mut world = World::new(24, 16, seed);
        world.runs_for = MS * 10;
        let chance = &mut fastrand::Rng::with_seed(seed);
        for _ in 0..3_000 {
            let due = MS * chance.u32(0..3_000);
            world.job(chance.u32(0..24), due);
        }
        world.run_until(SECOND * 10);
        assert_eq!((world.began.len(), world.tally.most_held), (3_000, 16));
    });
}

#[test]
fn what_is_slow_brings_no_more_than_the_capacity_beyond_the_room() {
    seeds(|seed| {
        let mut world = World::new(24, 16, seed);
        let chance = &mut fastrand::Rng::with_seed(seed);
        world.runs_for = MS * 20;
        for number in 0..24 {
            world.place(number).mode = Mode::Answers(MS * chance.u32(1..400));
        }
        for _ in 0..4_000 {
            world.job(chance.u32(0..24), Duration::ZERO);
        }
        world.run_until(SECOND * 90);
        assert_eq!(world.began.len(), 4_000);
        let most = world.tally.most_held;
        assert!(most <= 16 + 16 + 24, "{most} in hand");
    });
}

#[test]
fn every_partition_with_a_backlog_gets_its_turn() {
    seeds(|seed| {
        for partitions in [5, 24, 256] {
            let mut world = World::new(partitions, 16, seed);
            for number in 0..partitions {
                for _ in 0..500 {
                    world.job(number, Duration::ZERO);
                }
            }
            let rounds = MS * 20 * partitions.div_ceil(4) * 2;
            world.run_until(rounds);
            let claims = &world.tally.claims_of;
            let without: Vec<_> = (0..).zip(claims).filter(|(_, claims)| **claims == 0).collect();
            assert_eq!(without, [], "of {partitions}, after {rounds:?}");
        }
    });
}

#[test]
fn an_idle_worker_claims_less_than_once_a_second_whatever_the_number_of_partitions() {
    for partitions in [1, 16, 1_024] {
        let mut world = World::new(partitions, 16, 7);
        world.run_until(SECOND * 10);
        assert_eq!(world.tally.claims, partitions as usize, "each is looked at once");
        world.run_until(SECOND * 1_010);
        let (tally, looks) = (&world.tally, partitions as usize);
        assert!(tally.claims - looks <= 70, "{} claims", tally.claims - looks);
        assert!(tally.maintenances == 0 && tally.waits < 510 && tally.steps < 4_000, "{tally:?}");
    }
}

#[test]
fn a_paused_queue_with_an_overdue_job_does_not_spin() {
    for is_due in [true, false] {
        let mut world = World::new(8, 16, 7);
        (0..8).for_each(|number| world.place(number).is_paused = true);
        let due = if is_due { SECOND * 2 } else { Duration::ZERO };
        let job = world.job(3, due);
        world.run_until(SECOND * 10);
        let calls = |world: &World| {
            let tally = &world.tally;
            tally.claims + tally.maintenances + tally.waits
        };
        let before = calls(&world);
        world.run_until(SECOND * 110);
        assert!(calls(&world) - before <= 200, "{} calls in 100 s", calls(&world) - before);
        (0..8).for_each(|number| world.place(number).is_paused = false);
        world.run_until(SECOND * 113);
        assert!(world.began.contains_key(&job), "it runs after the pause");
    }
}

#[test]
fn a_partition_that_is_named_for_nothing_is_heard_less_and_less() {
    let mut world = World::new(8, 16, 7);
    world.place(3).is_always_named = true;
    world.run_until(SECOND * 10);
    let calls = |world: &World| world.tally.claims + world.tally.maintenances + world.tally.waits;
    let before = calls(&world);
    let job = world.submit_at(5, SECOND * 50);
    world.run_until(SECOND * 110);
    let calls = calls(&world) - before;
    assert!(calls <= 200, "{calls} calls in 100 s: {:?} {:?}", world.tally, world.scheduler.get(3));
    assert_eq!(world.late(&[(job, SECOND * 50)], PROMPT), [], "the others are heard");
}

#[test]
fn as_many_as_hang_at_once_delay_the_others_by_few_patiences() {
    seeds(|seed| {
        let (mut world, healthy) = world((160, 256), seed, SECOND);
        let due = SECOND * 17;
        let jobs: Vec<_> = (0..256).map(|number| (number, world.job(number, due))).collect();
        let jobs = jobs.into_iter().filter(|(number, _)| healthy.contains(number));
        let jobs: Vec<_> = jobs.map(|(_, job)| (job, due)).collect();
        world.run_until(SECOND * 20);
        assert_eq!(world.late(&jobs, PROMPT * 4), []);
    });
}

#[test]
fn many_due_jobs_are_promoted_at_once() {
    let mut world = World::new(1, 16, 7);
    for _ in 0..10_000 {
        world.job(0, Duration::ZERO);
    }
    let jobs: Vec<_> = (0..10_000).map(|_| (world.job(0, SECOND), SECOND)).collect();
    world.run_until(SECOND + MS * 40);
    assert!(world.tally.maintenances >= 10, "{} maintenances", world.tally.maintenances);
    assert_eq!(world.places.first().map(super::world::Place::timed), Some(0), "of {}", jobs.len());
}

#[test]
fn an_urgent_job_that_nobody_told_of_is_found_in_time_beside_a_backlog() {
    let mut world = World::new(1, 16, 7);
    world.runs_for = MS * 10;
    let job = world.untold_job(0, SECOND);
    for _ in 0..8_000 {
        world.job(0, Duration::ZERO);
    }
    world.run_until(SECOND * 4);
    assert_eq!(world.late(&[(job, SECOND)], SECOND * 2), []);
    assert!(world.tally.maintenances <= 8, "{} maintenances", world.tally.maintenances);
}

#[test]
fn a_claim_for_all_slots_leaves_no_room_but_does_not_deafen_to_wake_ups() {
    let mut world = World::new(1, 16, 7);
    let scheduler = &mut world.scheduler;
    assert_eq!(scheduler.grant(Duration::ZERO), [0]);
    assert_eq!(scheduler.begin_claim(0, Duration::ZERO).map(|claim| claim.limit), Some(16));
    assert_eq!((scheduler.room(), scheduler.can_take()), (0, true));
}

#[test]
fn a_store_that_is_away_is_tried_seldom_and_found_again_when_it_is_back() {
    for partitions in [1, 16, 256] {
        let mut world = World::new(partitions, 16, 7);
        world.run_until(SECOND);
        (0..partitions).for_each(|it| world.place(it).mode = Mode::Fails(MS));
        for number in 0..partitions {
            world.submit_at(number, SECOND * 2);
        }
        world.run_until(SECOND * 60);
        let before = world.tally.claims + world.tally.maintenances;
        world.run_until(SECOND * 120);
        let tried = world.tally.claims + world.tally.maintenances - before;
        assert!(tried <= 81, "{tried} in a minute");
        (0..partitions).for_each(|it| world.place(it).mode = Mode::Answers(MS));
        world.run_until(SECOND * 124);
        assert_eq!(world.began.len(), partitions as usize);
    }
}

#[test]
fn a_partition_that_fails_is_tried_by_itself_and_delays_no_other() {
    seeds(|seed| {
        let mut world = World::new(24, 16, seed);
        (0..8).for_each(|number| world.place(number).mode = Mode::Fails(MS * 560));
        let jobs: Vec<_> = (8..24).map(|it| (world.job(it, SECOND * 17), SECOND * 17)).collect();
        let own: Vec<_> = (0..8).map(|it| (world.job(it, SECOND * 17), SECOND * 17)).collect();
        world.run_until(SECOND * 20);
        assert_eq!(world.late(&jobs, PROMPT), []);
        (0..8).for_each(|number| world.place(number).mode = Mode::Answers(MS));
        world.run_until(SECOND * 25);
        assert_eq!(world.late(&own, SECOND * 8), []);
    });
}

#[test]
fn single_jobs_cost_as_many_steps_with_many_partitions_as_with_few() {
    let steps = [16, 1_024].map(|partitions| {
        let mut world = World::new(partitions, 16, 7);
        world.run_until(SECOND * 5);
        let before = (world.tally.steps, world.tally.claims);
        for round in 0..300_u32 {
            world.submit_at(round * 7 % partitions, SECOND * 5 + MS * 100 * (round + 1));
        }
        world.run_until(SECOND * 40);
        assert_eq!(world.began.len(), 300);
        (world.tally.steps - before.0, world.tally.claims - before.1)
    });
    let [few, many] = steps;
    assert!(many.0 <= few.0 * 11 / 10 && many.1 <= few.1 * 11 / 10, "{steps:?}");
}

#[test]
fn a_random_world_keeps_the_invariants_and_runs_every_job_that_can_be_reached() {
    for seed in 0..40 {
        println!("seed {seed}");
        let chance = &mut fastrand::Rng::with_seed(seed);
        let partitions = chance.u32(1..40);
        let mut world = World::new(partitions, chance.usize(8..40), seed);
        world.runs_for = MS * chance.u32(0..200);
        let mut jobs = 0;
        for second in 0..60 {
            for _ in 0..chance.u32(0..40) {
                let (number, at) = (chance.u32(0..partitions), MS * chance.u32(0..20_000));
                if chance.bool() {
                    world.job(number, SECOND * second + at)
                } else {
                    world.submit_at(number, SECOND * second + at)
                };
                jobs += 1;
            }
            let mode = match chance.u32(0..6) {
                0 => Mode::Hangs,
                1 => Mode::Fails(MS * chance.u32(0..600)),
                2 => Mode::Answers(MS * chance.u32(0..400)),
                _ => Mode::Answers(MS),
            };
            world.place(chance.u32(0..partitions)).mode = mode;
            world.run_until(SECOND * (second + 1));
        }
        (0..partitions).for_each(|number| world.place(number).mode = Mode::Answers(MS));
        world.run_until(SECOND * 200);
        assert_eq!(world.began.len(), jobs);
    }
}
