/** Takes submissions in: written down here first, then handed to core, then noted as handed over. A crash anywhere in between is healed. */
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
 * What an experiment says about its submissions. All functions but `parts` are pure. `E` lists the error codes of the experiment's own.
 */
export interface SubmissionRules<T extends SubmissionDocument, C, E extends string = never> {
  /** Prefix of ids: lower camel case. */
  readonly idPrefix: string;
  /** The fields of a new document, and the number of its jobs. The content was checked. */
  describe(content: C): OwnFields<T> & Pick<T, 'totalJobs'>;
  /** The same document gives the same task, whenever and wherever it is asked for. */
  toTask(submission: T): CoreTask | Promise<CoreTask>;
  /** The fault of a content that a unique index of the experiment's own forbids. @param keys of the index */
  taken?(content: C, keys: readonly string[]): InputFault<E>;
  /** Writes what lies beside a new submission. */
  parts?(content: C): SubmissionParts<T>;
  /** Removes it, where core refused the submission. */
  readonly dropParts?: SubmissionParts<T>;
}

/** What {@link Submitter} works with. */
export interface SubmitterOptions<
  T extends SubmissionDocument,
  C,
  E extends string,
> extends CoreSubmitOptions {
  readonly rules: SubmissionRules<T, C, E>;
  readonly schemaVersion: number;
  readonly submissions: SubmissionsRepository<T>;
  /** Told of each submission whose task core has. */
  readonly onHandedOver: (submission: T) => void;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** Something to submit. */
export interface SubmitRequest<C> {
  /** Who asks: keys are theirs. */
  readonly subject: string;
  readonly idempotencyKey: string;
  /** What is submitted, checked. */
  readonly content: C;
}

/** The submission, or why there is none. */
export type SubmitResult<T, E extends string = never> =
  { readonly submission: T } | { readonly faults: readonly InputFault<SubmissionErrorCode | E>[] };

/** See the head of this file. */
export class Submitter<T extends SubmissionDocument, C, E extends string> {
  readonly #options: SubmitterOptions<T, C, E>;
  readonly #underWay = new Map<string, Promise<SubmitResult<T, E>>>();

  constructor(options: SubmitterOptions<T, C, E>) {
    this.#options = options;
  }

  /**
   * Submits once for each subject and key: the same content gives the same submission, another one IDEMPOTENCY_KEY_REUSED. What core
   * refuses is withdrawn, and its key is free again.
   * @throws DomainError SERVICE_UNAVAILABLE when core gave no answer: the submission is kept, and goes on by itself;
   *   FORBIDDEN when the experiment's own token may not submit: the submission is withdrawn
   */
  async submit(request: SubmitRequest<C>): Promise<SubmitResult<T, E>> {
    const { submissions, rules } = this.#options;
    const { subject, idempotencyKey, content } = request;
    const digest = digestOf(content);
    let known = await submissions.ofKey(subject, idempotencyKey);
    if (!known) {
      const accepted = await submissions.accept(this.#newDocument(request, digest), rules.parts?.(content));
      if ('submission' in accepted) return this.handOver(accepted.submission, content);
      known = await submissions.ofKey(subject, idempotencyKey);
      if (!known) return { faults: [takenFault(rules, content, accepted.takenKeys)] };
    }
    if (!isDigestOf(known.digest, content, digest)) return { faults: [keyReused(idempotencyKey)] };
    return known.taskId === undefined ? this.handOver(known, content) : { submission: known };
  }

  /** Hands a submission to core, or waits for whoever is at it in this process. @param content where it is at hand */
  handOver(submission: T, content?: C): Promise<SubmitResult<T, E>> {
    const underWay = this.#underWay.get(submission._id);
    if (underWay) return underWay;
    const handing = this.#handOver(submission, content).finally(() => this.#underWay.delete(submission._id));
    this.#underWay.set(submission._id, handing);
    return handing;
  }

  /** Whether core is being told of a submission by this process right now. */
  get isHandingOver(): boolean {
    return this.#underWay.size > 0;
  }

  /** Resolves when what is being handed over now has come to an end, good or bad. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay.values());
  }

  async #handOver(submission: T, content: C | undefined): Promise<SubmitResult<T, E>> {
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
    // Core refused the same submission of another process a moment ago, and it was withdrawn there; now there is a task for it.
    log.warn({ submission: _id, taskId: answer.taskId }, 'a withdrawn submission is written again');
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
    // What `describe` gives are the other fields of T.
    return { ...base, ...rules.describe(content) } as unknown as T;
  }
}

/** SHA-256 of a content as it came through the schema, which fixes the order of its fields. */
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
  throw new DomainError('CONFLICT', `${keys.join(', ')}: somebody else took it first`, {
    field: keys.join('.'),
  });
}
