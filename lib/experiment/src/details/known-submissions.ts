/** What was submitted and never changes, kept by task: what a job is to an experiment needs no question to the store. */
import type { SubmissionDocument } from '../submissions/submission.document.js';

/** What of a submission does not change any more once core has its task: all but how far it is. */
export type FixedPart<T extends SubmissionDocument> = Omit<T, (typeof changingFields)[number]>;

const changingFields = ['revision', 'updatedAt', 'stage', 'finishedJobs', 'lostJobs', 'amounts'] as const;
const changing: ReadonlySet<string> = new Set(changingFields);

/** Submissions that are kept; the one not asked for longest goes first. */
const keptSubmissions = 1000;

/** A bounded memory of submissions by task. It holds nothing that could grow old. */
export class KnownSubmissions<T extends SubmissionDocument> {
  readonly #byTask = new Map<string, FixedPart<T>>();
  readonly #limit: number;

  constructor(limit = keptSubmissions) {
    this.#limit = limit;
  }

  get(taskId: string): FixedPart<T> | undefined {
    const known = this.#byTask.get(taskId);
    if (known) {
      this.#byTask.delete(taskId);
      this.#byTask.set(taskId, known);
    }
    return known;
  }

  /** Keeps a submission whose task core has. */
  add(submission: T): FixedPart<T> {
    const fixed = Object.fromEntries(
      Object.entries(submission).filter(([name]) => !changing.has(name)),
    ) as unknown as FixedPart<T>;
    if (submission.taskId !== undefined) {
      this.#byTask.set(submission.taskId, fixed);
      const oldest = this.#byTask.keys().next();
      if (this.#byTask.size > this.#limit && !oldest.done) this.#byTask.delete(oldest.value);
    }
    return fixed;
  }
}
