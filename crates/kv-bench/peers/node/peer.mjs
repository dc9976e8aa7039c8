// Queues on Node, at the jobs of kv-bench; what is said and heard is told in ../src/main.rs.
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { Queue as BullQueue, Worker as BullWorker } from 'bullmq';
import BeeQueue from 'bee-queue';

const BATCH = 1000;
const DIGITS = 16;

const [peer, port, verb, ...numbers] = process.argv.slice(2);
const [jobs, tasks, bytes] = numbers.map(Number);
const connection = { host: '127.0.0.1', port: Number(port) };

const payload = (id) => String(id).padStart(DIGITS, '0') + 'x'.repeat(bytes - DIGITS - 2);

const batches = [];
for (let first = 1; first <= jobs; first += BATCH) {
  const size = Math.min(BATCH, jobs - first + 1);
  batches.push(Array.from({ length: size }, (_, at) => payload(first + at)));
}

// Counts what is processed. Numbers stay below 2^53 up to 200,000 jobs.
const tally = { count: 0, sum: 0, squares: 0 };
let finish;
const finished = new Promise((resolve) => { finish = resolve; });
function note(text) {
  const id = Number(text.slice(0, DIGITS));
  tally.count += 1;
  tally.sum += id;
  tally.squares += id * id;
  if (tally.count === jobs) finish();
}

// Says that all is ready, waits for the word, runs, and tells the seconds.
async function timed(run) {
  console.log('ready');
  await once(process.stdin, 'data');
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

// Adds all batches, so many tasks taking turns.
async function addAll(add) {
  let next = 0;
  const task = async () => {
    while (next < batches.length) await add(batches[next++]);
  };
  await Promise.all(Array.from({ length: tasks }, task));
}

const peers = {
  bullmq: {
    open: () => new BullQueue('bench', { connection }),
    add: (queue) => (batch) => queue.addBulk(batch.map((data) => ({ name: 'job', data }))),
    count: (queue) => queue.getWaitingCount(),
    work: async () => {
      const options = { connection, concurrency: tasks, removeOnComplete: { count: 0 } };
      new BullWorker('bench', async (job) => note(job.data), options);
    },
  },
  'bee-queue': {
    open: () => new BeeQueue('bench', {
      redis: connection, removeOnSuccess: true, storeJobs: false, getEvents: false, sendEvents: false,
    }),
    add: (queue) => async (batch) => {
      const errors = await queue.saveAll(batch.map((data) => queue.createJob({ data })));
      if (errors.size > 0) throw errors.values().next().value;
    },
    count: async (queue) => (await queue.checkHealth()).waiting,
    work: async (queue) => { queue.process(tasks, async (job) => note(job.data.data)); },
  },
};

const { open, add, count, work } = peers[peer];
const queue = open();
if (verb === 'add') {
  const seconds = await timed(() => addAll(add(queue)));
  console.log(`done ${seconds} ${await count(queue)} 0 0`);
} else {
  await addAll(add(queue));
  const seconds = await timed(async () => { await work(queue); await finished; });
  console.log(`done ${seconds} ${tally.count} ${tally.sum} ${tally.squares}`);
}
process.exit(0);
