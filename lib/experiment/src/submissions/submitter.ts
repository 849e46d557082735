/**
 * Accepts submissions: stores them, submits them to core, then records that core has them. A crash in between
 * is repaired.
 */
import { digestOf, isDigestOf } from '@rhizome/digest';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import type { InputFault } from '../input/experiment-input-errors.js';
import { type CoreSubmitOptions, type CoreTask, submitToCore } from './core-task.js';
import type { SubmissionErrorCode } from './error-codes.js';
import type { OwnFields, SubmissionDocument } from './submission.document.js';
import type { SubmissionParts, SubmissionsRepository } from './submissions.repository.js';

/**
 * What an experiment says about its submissions. All functions but `parts` are pure. `E` lists the error
 * codes of the experiment's own.
 */
export interface SubmissionRules<T extends SubmissionDocument, C, E extends string = never> {
  /** Prefix of ids: lower camel case. */
  readonly idPrefix: string;
  /** The fields of a new document, and the number of its jobs. The content was checked. */
  describe(content: C): OwnFields<T> & Pick<T, 'totalJobs'>;
  /** Task of a document. Must depend on the document only. */
  toTask(submission: T): CoreTask | Promise<CoreTask>;
  /** The fault of a content that a unique index of the experiment's own forbids. @param keys of the index */
  taken?(content: C, keys: readonly string[]): InputFault<E>;
  /** Writes the documents that belong to a new submission. */
  parts?(content: C): SubmissionParts<T>;
  /** Removes it, where core refused the submission. */
  readonly dropParts?: SubmissionParts<T>;
}

/** Dependencies of {@link Submitter}. */
export interface SubmitterOptions<
  T extends SubmissionDocument,
  C,
  E extends string,
> extends CoreSubmitOptions {
  readonly rules: SubmissionRules<T, C, E>;
  readonly schemaVersion: number;
  readonly submissions: SubmissionsRepository<T>;
  /** Called for each submission that core has accepted. */
  readonly onHandedOver: (submission: T) => void;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** Something to submit. */
export interface SubmitRequest<C> {
  /** Subject of the caller, to which keys belong. */
  readonly subject: string;
  readonly idempotencyKey: string;
  /** Validated input. */
  readonly content: C;
}

/** The submission, or why there is none. */
export type SubmitResult<T, E extends string = never> =
  { readonly submission: T } | { readonly faults: readonly InputFault<SubmissionErrorCode | E>[] };

export class Submitter<T extends SubmissionDocument, C, E extends string> {
  readonly #options: SubmitterOptions<T, C, E>;
  readonly #inProgress = new Map<string, Promise<SubmitResult<T, E>>>();

  constructor(options: SubmitterOptions<T, C, E>) {
    this.#options = options;
  }

  /**
   * Submits once per subject and key: the same content returns the same submission, other content
   * IDEMPOTENCY_KEY_REUSED. A submission that core rejects is deleted, and its key can be used again.
   * @throws DomainError SERVICE_UNAVAILABLE if core does not respond: the submission is kept and submitted
   *   later; FORBIDDEN if the experiment's own token may not submit: the submission is deleted
   */
  async submit(request: SubmitRequest<C>): Promise<SubmitResult<T, E>> {
    const { submissions, rules } = this.#options;
    const { subject, idempotencyKey, content } = request;
    const digest = digestOf(content);
    let known = await submissions.ofKey(subject, idempotencyKey);
    if (!known) {
      const accepted = await submissions.accept(this.#newDocument(request, digest), rules.parts?.(content));
      if ('submission' in accepted) return this.submitToCore(accepted.submission, content);
      known = await submissions.ofKey(subject, idempotencyKey);
      if (!known) return { faults: [takenFault(rules, content, accepted.takenKeys)] };
    }
    if (!isDigestOf(known.digest, content, digest)) return { faults: [keyReused(idempotencyKey)] };
    return known.taskId === undefined ? this.submitToCore(known, content) : { submission: known };
  }

  /**
   * Submits to core, or waits for a submission in progress in this process. @param content input, if
   * available
   */
  submitToCore(submission: T, content?: C): Promise<SubmitResult<T, E>> {
    const inProgress = this.#inProgress.get(submission._id);
    if (inProgress) return inProgress;
    const started = this.#submitToCore(submission, content).finally(() =>
      this.#inProgress.delete(submission._id),
    );
    this.#inProgress.set(submission._id, started);
    return started;
  }

  /** True while this process submits a task to core. */
  get isSubmitting(): boolean {
    return this.#inProgress.size > 0;
  }

  /** Resolves when all submissions in progress have ended, successfully or not. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#inProgress.values());
  }

  async #submitToCore(submission: T, content: C | undefined): Promise<SubmitResult<T, E>> {
    const { submissions, rules, clock, log } = this.#options;
    const { _id } = submission;
    const task = await rules.toTask(submission);
    const answer = await submitToCore(this.#options, submission, task).catch(async (error: unknown) => {
      if (isDomainError(error) && error.code === 'FORBIDDEN')
        await submissions.withdraw(submission, rules.dropParts);
      throw error;
    });
    if ('faults' in answer) {
      await submissions.withdraw(submission, rules.dropParts);
      return answer;
    }
    const noted = await submissions.handedOver(_id, answer.taskId, clock.now());
    if (noted) {
      this.#options.onHandedOver(noted);
      return { submission: noted };
    }
    // Core just rejected the same submission from another process, which deleted it; now it has a task.
    log.warn({ submission: _id, taskId: answer.taskId }, 'deleted submission restored');
    const again = { ...submission, taskId: answer.taskId, stage: 'OPEN' } as T;
    await submissions.accept(again, content === undefined ? undefined : rules.parts?.(content));
    this.#options.onHandedOver(again);
    return { submission: again };
  }

  #newDocument({ subject, idempotencyKey, content }: SubmitRequest<C>, digest: string): T {
    const { rules, ids, clock, schemaVersion } = this.#options;
    const now = clock.now();
    const base: Omit<SubmissionDocument, 'totalJobs'> = {
      _id: ids.next(rules.idPrefix),
      schemaVersion,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      submittedBy: subject,
      idempotencyKey,
      digest,
      stage: 'SUBMITTING',
      finishedJobs: 0,
      lostJobs: 0,
      amounts: {},
    };
    // `describe` returns the other fields of T.
    return { ...base, ...rules.describe(content) } as unknown as T;
  }
}

function keyReused(key: string): InputFault<SubmissionErrorCode> {
  const message = `idempotencyKey: ${JSON.stringify(key)} is not valid; must be a key that was not used for another input`;
  return { path: ['idempotencyKey'], message, code: 'IDEMPOTENCY_KEY_REUSED' };
}

function takenFault<T extends SubmissionDocument, C, E extends string>(
  { taken }: SubmissionRules<T, C, E>,
  content: C,
  keys: readonly string[],
): InputFault<E> {
  if (taken) return taken(content, keys);
  throw new DomainError('CONFLICT', `${keys.join(', ')}: already taken`, {
    field: keys.join('.'),
  });
}
