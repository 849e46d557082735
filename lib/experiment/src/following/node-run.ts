/** The job of a node as an event or a snapshot reports it, pure. */
import type { ExperimentNodeJobFragment } from '../operations.generated.js';
import type { NodeRun, NodeStateDocument, SpentSeconds } from './node-state.document.js';

const messageLength = 300;

/** The job of a node in the form in which it is stored. */
export function nodeRunOf(job: ExperimentNodeJobFragment): NodeRun {
  const { id, state, revision, hold, requirements, attempts, exitCode, error } = job;
  const seconds = attempts.map(secondsOf);
  const lost = seconds.filter((_, at) => isLost(attempts[at]?.outcome));
  const last = attempts.at(-1);
  const { wallSeconds, peakMemoryMiB } = last?.metrics ?? {};
  const startedAt = attempts.find((attempt) => attempt.startedAt != null)?.startedAt;
  return {
    jobId: id,
    jobRevision: revision,
    state,
    isHeld: hold != null,
    memoryMiB: requirements.memoryMiB,
    cores: requirements.cores,
    attempts: attempts.length,
    coreSeconds: sum(seconds) * requirements.cores,
    lostCoreSeconds: sum(lost) * requirements.cores,
    ...(startedAt == null ? {} : { startedAt: new Date(startedAt) }),
    ...(last?.endedAt == null ? {} : { endedAt: new Date(last.endedAt) }),
    ...(wallSeconds == null ? {} : { wallSeconds }),
    ...(peakMemoryMiB == null ? {} : { peakMemoryMiB }),
    ...(last?.site == null ? {} : { site: last.site.name }),
    ...(exitCode == null ? {} : { exitCode }),
    ...(error == null ? {} : { errorCode: error.code, errorMessage: error.message.slice(0, messageLength) }),
  };
}

/** True if a run is newer than the stored one: a later job, or a later revision of the same job. */
export function isNewerRun(run: NodeRun, known: NodeRun | undefined): boolean {
  if (!known) return true;
  return run.jobId === known.jobId ? run.jobRevision > known.jobRevision : run.jobId > known.jobId;
}

/** The part of a node that its jobs determine. */
export type NodeRuns = Pick<NodeStateDocument, 'run' | 'before' | 'spent'>;

/** The newest revision of each job, in the order of the jobs. */
export function newestOfJobs<N extends { readonly run: NodeRun }>(ofNode: readonly N[]): readonly N[] {
  const newest = new Map<string, N>();
  for (const one of ofNode) {
    const known = newest.get(one.run.jobId);
    if (!known || one.run.jobRevision > known.run.jobRevision) newest.set(one.run.jobId, one);
  }
  return [...newest.values()].sort((a, b) => (a.run.jobId < b.run.jobId ? -1 : 1));
}

/**
 * The jobs of a node with one more, or with a later revision of the newest one or of the one before;
 * undefined if it says nothing new.
 */
export function nextRuns(known: NodeRuns | undefined, run: NodeRun): NodeRuns | undefined {
  if (!known) return { run };
  const { before, spent } = known;
  if (isNewerRun(run, known.run))
    return run.jobId === known.run.jobId
      ? { ...known, run }
      : { run, before: known.run, spent: spentBy(known) };
  if (run.jobId !== before?.jobId || run.jobRevision <= before.jobRevision) return undefined;
  const more = (name: keyof SpentSeconds): number =>
    Math.max(0, (spent?.[name] ?? 0) + run[name] - before[name]);
  return {
    ...{ run: known.run, before: run },
    spent: { coreSeconds: more('coreSeconds'), lostCoreSeconds: more('lostCoreSeconds') },
  };
}

/** Time of all jobs of a node so far. */
export function spentBy({ run, spent }: Pick<NodeStateDocument, 'run' | 'spent'>): SpentSeconds {
  return {
    coreSeconds: run.coreSeconds + (spent?.coreSeconds ?? 0),
    lostCoreSeconds: run.lostCoreSeconds + (spent?.lostCoreSeconds ?? 0),
  };
}

type Attempt = ExperimentNodeJobFragment['attempts'][number];

/** Seconds from the start of an attempt to its end; 0 if it has not ended or never started. */
function secondsOf({ startedAt, endedAt }: Attempt): number {
  if (startedAt == null || endedAt == null) return 0;
  return Math.max(0, (Date.parse(String(endedAt)) - Date.parse(String(startedAt))) / 1000);
}

function isLost(outcome: Attempt['outcome'] | undefined): boolean {
  return outcome != null && outcome !== 'FINISHED';
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
