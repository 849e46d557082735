/** Moves jobs by core's transition writer at a rate: they are held and released, again and again. */
import { openTransitionWriter, type TransitionRequest } from '@rhizome/core';
import { silentLogger } from '@rhizome/log';
import { systemClock } from '@rhizome/clock';
import { connectMongo } from '@rhizome/mongo';
import { answerQuestions } from './processes.js';

/** Rate and duration of state changes. */
export interface WriteQuestion {
  /** Events a second; 0 for as many as there can be. */
  readonly rate: number;
  readonly seconds: number;
}

/** Number of writes. */
export interface WriteAnswer {
  readonly events: number;
  readonly seconds: number;
  /** Times that the writer could not keep the rate, in events. */
  readonly missed: number;
}

/** A job by its id, and the task that it is of. */
export interface WrittenJob {
  readonly id: string;
  readonly taskId: string;
}

const tickMs = 10;
/** Requests that wait for the store at most. */
const maxUnderWay = 1000;

let jobs: { readonly id: string; isHeld: boolean; isBusy: boolean }[] = [];
let writer: ReturnType<typeof openTransitionWriter> | undefined;

async function open({ mongoUri }: { readonly mongoUri: string }): Promise<readonly WrittenJob[]> {
  const mongo = await connectMongo({ uri: mongoUri, appName: 'bench-writer' });
  const db = mongo.db('core');
  writer ??= openTransitionWriter({ db, clock: systemClock, log: silentLogger() });
  const found = await db
    .collection<{ _id: string; taskId: string; state: string }>('jobs')
    .find({ taskId: { $exists: true } }, { projection: { taskId: 1, state: 1 } })
    .toArray();
  jobs = found.map(({ _id, state }) => ({ id: _id, isHeld: state === 'PENDING', isBusy: false }));
  return found.map(({ _id, taskId }) => ({ id: _id, taskId }));
}

function requestOf({ id, isHeld }: { readonly id: string; readonly isHeld: boolean }): TransitionRequest {
  const principal = { jobId: id, by: 'principal', actor: 'bench@example' } as const;
  if (isHeld) return { ...principal, from: 'PENDING', to: 'ACTIVATED', change: { hold: null } };
  const hold = { by: 'bench@example', reason: 'bench' };
  return { ...principal, from: 'ACTIVATED', to: 'PENDING', change: { hold } };
}

/** Writes until the time is over, and until what is under way is written. */
async function write({ rate, seconds }: WriteQuestion): Promise<WriteAnswer> {
  if (!writer) throw new Error('open comes first');
  const into = writer;
  let [begun, written, underWay, next] = [0, 0, 0, 0];
  const started = performance.now();
  const pending = new Set<Promise<void>>();
  const apply = async (some: typeof jobs): Promise<void> => {
    const outcomes = await into.apply(some.map(requestOf));
    outcomes.forEach((outcome, at) => {
      const job = some[at];
      if (!job) return;
      if (!outcome.applied) throw new Error(`a change of ${job.id} was refused: ${JSON.stringify(outcome)}`);
      job.isHeld = !job.isHeld;
      job.isBusy = false;
    });
    written += some.length;
    underWay -= some.length;
  };
  for (let elapsed = 0; elapsed < seconds * 1000; elapsed = performance.now() - started) {
    const due = rate === 0 ? maxUnderWay : Math.floor((rate * elapsed) / 1000) - begun;
    const some: typeof jobs = [];
    for (
      let looked = 0;
      looked < jobs.length && some.length < Math.min(due, maxUnderWay - underWay);
      looked++
    ) {
      const job = jobs[(next = (next + 1) % jobs.length)];
      if (!job || job.isBusy) continue;
      job.isBusy = true;
      some.push(job);
    }
    begun += some.length;
    underWay += some.length;
    if (some.length > 0) {
      const applied = apply(some).finally(() => pending.delete(applied));
      pending.add(applied);
    }
    await new Promise((resolve) => setTimeout(resolve, tickMs));
  }
  await Promise.all(pending);
  const missed = rate === 0 ? 0 : Math.max(0, rate * seconds - written);
  return { events: written, seconds: (performance.now() - started) / 1000, missed };
}

answerQuestions({ open, write });
