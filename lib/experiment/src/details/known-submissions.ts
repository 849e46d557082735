/** Cache of the immutable part of submissions, by task or workflow: job details usually need no query. */
import { type Clock, timeOfId } from '@rhizome/clock';
import { LRUCache } from 'lru-cache';
import { coreIdOf, type SubmissionDocument } from '../submissions/submission.document.js';

/** Fields of a submission that no longer change once core has it: all but its progress. */
export type FixedPart<T extends SubmissionDocument> = Omit<T, (typeof changingFields)[number]>;

const changingFields = [
  'revision',
  'updatedAt',
  'stage',
  'finishedJobs',
  'lostJobs',
  'amounts',
  'workflowEnd',
] as const;
const changing: ReadonlySet<string> = new Set(changingFields);

/** Most submissions that are kept; above it, the least recently used one is removed. */
const keptSubmissions = 1000;
/** Tasks and workflows of others that are kept. */
const keptForeign = 10_000;
/** Age below which a task or workflow may still be in submission by another process, in milliseconds. */
const youngMs = 10_000;
/**
 * Time for which a task or workflow counts as foreign, in milliseconds: an interrupted submission of it may
 * be completed later.
 */
const foreignMs = 5000;

/**
 * A bounded memory of submissions by task or workflow, and of those that are none. What it says of the former
 * cannot grow old.
 */
export class KnownSubmissions<T extends SubmissionDocument> {
  readonly #byCoreId: LRUCache<string, FixedPart<T>>;
  readonly #foreignUntil = new LRUCache<string, number>({ max: keptForeign });
  readonly #clock: Clock;

  constructor(clock: Clock, limit = keptSubmissions) {
    this.#clock = clock;
    this.#byCoreId = new LRUCache({ max: limit });
  }

  get(coreId: string): FixedPart<T> | undefined {
    return this.#byCoreId.get(coreId);
  }

  /** Keeps a submission that core has. */
  add(submission: T): FixedPart<T> {
    const fixed = Object.fromEntries(
      Object.entries(submission).filter(([name]) => !changing.has(name)),
    ) as unknown as FixedPart<T>;
    const coreId = coreIdOf(submission);
    if (coreId !== undefined) {
      this.#foreignUntil.delete(coreId);
      this.#byCoreId.set(coreId, fixed);
    }
    return fixed;
  }

  /** Returns true if the task or workflow was recently found to be foreign. */
  isForeign(coreId: string): boolean {
    const until = this.#foreignUntil.get(coreId);
    if (until === undefined) return false;
    if (until > this.#clock.now().getTime()) return true;
    this.#foreignUntil.delete(coreId);
    return false;
  }

  /** Notes that the store has no submission for the task or workflow. */
  addForeign(coreId: string): void {
    const now = this.#clock.now().getTime();
    const made = timeOfId(coreId);
    if (!made || now - made.getTime() < youngMs) return;
    this.#foreignUntil.set(coreId, now + foreignMs);
  }
}
