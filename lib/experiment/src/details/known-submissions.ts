/** Cache of the immutable part of submissions, by task: job details usually need no query. */
import { type Clock, timeOfId } from '@rhizome/clock';
import { LRUCache } from 'lru-cache';
import type { SubmissionDocument } from '../submissions/submission.document.js';

/** Fields of a submission that no longer change once core has its task: all but its progress. */
export type FixedPart<T extends SubmissionDocument> = Omit<T, (typeof changingFields)[number]>;

const changingFields = ['revision', 'updatedAt', 'stage', 'finishedJobs', 'lostJobs', 'amounts'] as const;
const changing: ReadonlySet<string> = new Set(changingFields);

/** Most submissions that are kept; above it, the least recently used one is removed. */
const keptSubmissions = 1000;
/** Tasks of others that are kept. */
const keptForeign = 10_000;
/** Age below which a task may still be in submission by another process, in milliseconds. */
const youngMs = 10_000;
/**
 * Time for which a task counts as foreign, in milliseconds: an interrupted submission of it may be completed
 * later.
 */
const foreignMs = 5000;

/**
 * A bounded memory of submissions by task, and of tasks that are none. What it says of the former cannot grow
 * old.
 */
export class KnownSubmissions<T extends SubmissionDocument> {
  readonly #byTask: LRUCache<string, FixedPart<T>>;
  readonly #foreignUntil = new LRUCache<string, number>({ max: keptForeign });
  readonly #clock: Clock;

  constructor(clock: Clock, limit = keptSubmissions) {
    this.#clock = clock;
    this.#byTask = new LRUCache({ max: limit });
  }

  get(taskId: string): FixedPart<T> | undefined {
    return this.#byTask.get(taskId);
  }

  /** Keeps a submission whose task core has. */
  add(submission: T): FixedPart<T> {
    const fixed = Object.fromEntries(
      Object.entries(submission).filter(([name]) => !changing.has(name)),
    ) as unknown as FixedPart<T>;
    if (submission.taskId !== undefined) {
      this.#foreignUntil.delete(submission.taskId);
      this.#byTask.set(submission.taskId, fixed);
    }
    return fixed;
  }

  /** Returns true if the task was recently found to be foreign. */
  isForeign(taskId: string): boolean {
    const until = this.#foreignUntil.get(taskId);
    if (until === undefined) return false;
    if (until > this.#clock.now().getTime()) return true;
    this.#foreignUntil.delete(taskId);
    return false;
  }

  /** Notes that the store has no submission for the task. */
  addForeign(taskId: string): void {
    const now = this.#clock.now().getTime();
    const made = timeOfId(taskId);
    if (!made || now - made.getTime() < youngMs) return;
    this.#foreignUntil.set(taskId, now + foreignMs);
  }
}
