/**
 * Accepts submissions: stores them, submits them to core, then records that core has them. A crash in between
 * is repaired.
 */
import { digestOf, isDigestOf } from '@rhizome/digest';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import type { InputFault } from '../input/experiment-input-errors.js';
import {
  type CoreAnswer,
  type CoreSubmitOptions,
  type CoreTask,
  findWork,
  submitToCore,
} from './core-task.js';
import { type CoreWorkflow, submitWorkflowToCore } from './core-workflow.js';
import type { SubmissionErrorCode } from './error-codes.js';
import { coreIdOf, type OwnFields, type SubmissionDocument } from './submission.document.js';
import type { SubmissionParts, SubmissionsRepository } from './submissions.repository.js';

/**
 * What an experiment says about its submissions. All functions but `parts` are pure. `E` lists the error
 * codes of the experiment's own.
 */
interface CommonRules<T extends SubmissionDocument, C, E extends string = never> {
  /** Prefix of ids: lower camel case. */
  readonly idPrefix: string;
  /** The fields of a new document, and the number of its jobs. The content was checked. */
  describe(content: C): OwnFields<T> & Pick<T, 'totalJobs'>;
  /** The fault of a content that a unique index of the experiment's own forbids. @param keys of the index */
  taken?(content: C, keys: readonly string[]): InputFault<E>;
  /** Writes the documents that belong to a new submission. */
  parts?(content: C): SubmissionParts<T>;
  /** Removes it, where core refused the submission. */
  readonly dropParts?: SubmissionParts<T>;
}

/** Rules of submissions that core does as tasks. */
export interface SubmissionRules<
  T extends SubmissionDocument,
  C,
  E extends string = never,
> extends CommonRules<T, C, E> {
  /** Task of a document. Must depend on the document only. */
  toTask(submission: T): CoreTask | Promise<CoreTask>;
}

/** Rules of submissions that core does as workflows. */
export interface WorkflowRules<T extends SubmissionDocument, C, E extends string = never> extends CommonRules<
  T,
  C,
  E
> {
  /** Workflow of a document. Must depend on the document only. */
  toWorkflow(submission: T): CoreWorkflow | Promise<CoreWorkflow>;
  /** True if an earlier version of the experiment may have submitted the document as a task. */
  mayBeTask(submission: T): boolean;
}

/** Dependencies of {@link Submitter}. */
export interface SubmitterOptions<
  T extends SubmissionDocument,
  C,
  E extends string,
> extends CoreSubmitOptions {
  readonly rules: SubmissionRules<T, C, E> | WorkflowRules<T, C, E>;
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
    return coreIdOf(known) === undefined ? this.submitToCore(known, content) : { submission: known };
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

  /** True while this process submits something to core. */
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
    const answer = await this.#askCore(submission).catch(async (error: unknown) => {
      if (isDomainError(error) && error.code === 'FORBIDDEN')
        await submissions.withdraw(submission, rules.dropParts);
      throw error;
    });
    if ('faults' in answer) {
      await submissions.withdraw(submission, rules.dropParts);
      return answer;
    }
    const noted = await submissions.handedOver(_id, answer, clock.now());
    if (noted) {
      this.#options.onHandedOver(noted);
      return { submission: noted };
    }
    // Core just rejected the same submission from another process, which deleted it; now core has it.
    log.warn({ submission: _id, ...answer }, 'deleted submission restored');
    const again = { ...submission, ...answer, stage: 'OPEN' } as T;
    await submissions.accept(again, content === undefined ? undefined : rules.parts?.(content));
    this.#options.onHandedOver(again);
    return { submission: again };
  }

  async #askCore(submission: T): Promise<CoreAnswer> {
    const { rules } = this.#options;
    if ('toTask' in rules) return submitToCore(this.#options, submission, await rules.toTask(submission));
    const before = rules.mayBeTask(submission) ? await findWork(this.#options, submission._id) : undefined;
    return before ?? submitWorkflowToCore(this.#options, submission, await rules.toWorkflow(submission));
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
  { taken }: CommonRules<T, C, E>,
  content: C,
  keys: readonly string[],
): InputFault<E> {
  if (taken) return taken(content, keys);
  throw new DomainError('CONFLICT', `${keys.join(', ')}: already taken`, {
    field: keys.join('.'),
  });
}
