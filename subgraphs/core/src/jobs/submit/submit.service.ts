import { setImmediate as turn } from 'node:timers/promises';
import { type InputError, InputErrors } from '@rhizome/errors';
import { assertCan, type Principal } from '@rhizome/authz';
import { digestInTurns, isDigestOf } from '@rhizome/digest';
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import type { ClassesRepository } from '../model/requirement-classes.repository.js';
import { classifier } from './classifier.js';
import type {
  ExperimentDirectory,
  ExperimentFacts,
  JobSecrets,
  QueueDirectory,
  SubmissionConsents,
} from '../ports.js';
import type { Dependencies } from '../dependencies/dependencies.js';
import { storedKey } from '../../shared/stored-key.js';
import { batchJobIds } from '../model/job-ids.js';
import { insertBatches } from './insert-batches.js';
import { checkJob, sibling } from './job-input.js';
import { isCanary } from '../model/canary-owner.js';
import type { JobDocument } from '../model/job.types.js';
import type { JobsRepository } from '../model/jobs.repository.js';
import { newJobDocument } from '../model/new-job.js';
import { type LiveQuota, payloadBytes } from './live-quota.js';
import { normalisePayload, normaliseRetry, type SecretIds } from './normalise.js';
import { checkSecretIds, lookUpSecrets } from './secret-lookup.js';
import { missingConsent, otherIdentities, type Ownership, ownershipOf } from './ownership.js';
import { readableParents } from './readable-parents.js';
import { RefusedJobs, type ShownRefusals } from './refused-jobs.js';
import { type CheckSelector, requirementChecks } from './requirement-checks.js';
import { submissionSchemaVersion, type SubmissionDocument } from './submission.document.js';
import type { SubmissionsRepository } from './submissions.repository.js';
import type { JobSpec } from './submit.types.js';
import type {
  JobInputError,
  JobInputErrorCode,
  JobInputErrors,
  JobValueError,
} from './job-input-error.types.js';

/** Dependencies of {@link SubmitService}. */
export interface SubmitServiceOptions {
  readonly jobs: JobsRepository;
  readonly classes: ClassesRepository;
  readonly submissions: SubmissionsRepository;
  readonly dependencies: Dependencies;
  readonly experiments: ExperimentDirectory;
  readonly queues: QueueDirectory;
  readonly consents: SubmissionConsents;
  readonly secrets: JobSecrets;
  readonly checkSelector: CheckSelector;
  readonly quota: LiveQuota;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** Jobs to submit. */
export interface SubmitInput {
  readonly experiment: string;
  readonly idempotencyKey: string;
  readonly jobs: readonly JobSpec[];
  /** Owner of the jobs; defaults to the caller. */
  readonly onBehalfOf?: string | null | undefined;
}

type Owners = Exclude<Ownership, { readonly refusal: JobInputError }>;

/** Result, one entry per job, in order; a job that was submitted before has only its id. */
export interface SubmitResult {
  readonly jobs: readonly (JobDocument | { readonly _id: string } | null)[];
  readonly refusals: readonly JobInputError[];
  /** Number of further errors that are not returned. */
  readonly omitted: number;
}

/** Maximum number of jobs per call. */
export const maxJobsPerSubmit = 10_000;

/** Jobs that are checked, or made into documents, in one turn of the event loop. */
const jobsPerTurn = 500;

/** Facts of the store that new jobs need. */
interface SubmitFacts {
  readonly experiment: ExperimentFacts;
  readonly parents: ParentStates;
  readonly secretIds: SecretIds;
}

type ParentStates = Awaited<ReturnType<JobsRepository['parents']>>;

/** Accepts jobs. */
export class SubmitService {
  readonly #options: SubmitServiceOptions;
  readonly #background = new Set<Promise<void>>();

  constructor(options: SubmitServiceOptions) {
    this.#options = options;
  }

  /**
   * Accepts each well-formed job and refuses the others. Job ids are derived from the key, which is reserved
   * first, so that any interrupted call can be repeated by any process.
   * @throws DomainError FORBIDDEN, LIMIT_EXCEEDED
   */
  async submit(principal: Principal, input: SubmitInput): Promise<SubmitResult> {
    assertCan(principal, 'job:submit', input.experiment);
    const owners = ownershipOf(principal, input.experiment, input.onBehalfOf);
    const refusal = checkCall(input) ?? ('refusal' in owners ? owners.refusal : undefined);
    if (refusal || 'refusal' in owners)
      return {
        jobs: refusal?.code === 'BATCH_TOO_LARGE' ? [] : input.jobs.map(() => null),
        refusals: refusal ? [refusal] : [],
        omitted: 0,
      };
    const reservationId = storedKey('jobs', input.experiment, principal.subject, input.idempotencyKey);
    // The owner is part of the submitted input, unless it is the caller.
    const submitted = owners.submittedBy === undefined ? input.jobs : [owners.owner, input.jobs];
    const digest = await digestInTurns(submitted);
    const [earlier, experiment] = await Promise.all([
      this.#options.submissions.find(reservationId),
      this.#options.experiments.find(input.experiment),
    ]);
    if (earlier) {
      if (!isDigestOf(earlier.digest, submitted, digest))
        return nothing(input, keyReused(input.idempotencyKey));
      return this.#repeat(principal, owners, input, earlier);
    }
    if (!experiment)
      return nothing(
        input,
        refusalOf('EXPERIMENT_NOT_FOUND', ['experiment'], input.experiment, 'a registered experiment'),
      );
    const missing = await missingConsent(owners, input.experiment, this.#options.consents);
    if (missing) return nothing(input, missing);
    const secretIds = await this.#secretIds(principal, owners, input);
    const { refusedJobs, parents } = await this.#examine(input.jobs, experiment, secretIds, {
      principal,
      owner: owners.owner,
    });
    if (refusedJobs.refused.length === input.jobs.length) return this.#answer(input, [], refusedJobs);
    const refused = new Set(refusedJobs.refused.map(({ index }) => index));
    const accepted = input.jobs.filter((_, index) => !refused.has(index));
    const usage = {
      jobs: accepted.length,
      bytes: accepted.reduce((all, { payload }) => all + payloadBytes(payload), 0),
    };
    const { owner } = owners;
    await this.#options.quota.charge(experiment.name, owner, usage, otherIdentities(principal, owner));
    const reserved = await this.#options.submissions.reserve({
      _id: reservationId,
      schemaVersion: submissionSchemaVersion,
      revision: 1,
      createdAt: this.#options.clock.now(),
      digest,
      batchId: this.#options.ids.next('batch'),
      count: input.jobs.length,
      refused: refusedJobs.refused,
      ...(refusedJobs.omitted > 0 ? { omitted: refusedJobs.omitted } : {}),
    });
    if (!isDigestOf(reserved.digest, submitted, digest))
      return nothing(input, keyReused(input.idempotencyKey));
    const documents = await this.#documents(owners, input, reserved, { experiment, parents, secretIds });
    await this.#write(documents, reserved);
    return this.#answer(input, documents, reserved);
  }

  /** Waits for work that continues after answers were sent. */
  async settle(): Promise<void> {
    await Promise.all(this.#background);
  }

  /** Answer to a call that was made before; writes what that call did not complete. */
  async #repeat(
    principal: Principal,
    owners: Owners,
    input: SubmitInput,
    earlier: SubmissionDocument,
  ): Promise<SubmitResult> {
    const refused = new Set(earlier.refused.map(({ index }) => index));
    const idAt = batchJobIds(earlier.batchId, earlier.createdAt);
    const ids = input.jobs.flatMap((_, index) => (refused.has(index) ? [] : [{ _id: idAt(index) }]));
    if (!earlier.doneAt) {
      const there = await this.#options.jobs.existing(ids.map(({ _id }) => _id));
      const experiment = (await this.#options.experiments.find(input.experiment)) ?? {
        name: input.experiment,
        shares: [],
      };
      const parents = await this.#options.jobs.parents(externalParents(input.jobs));
      const secretIds = await this.#secretIds(principal, owners, input);
      const facts = { experiment, parents, secretIds };
      const documents = await this.#documents(owners, input, earlier, facts);
      await this.#write(
        documents.filter(({ _id }) => !there.has(_id)),
        earlier,
        documents,
      );
    }
    return this.#answer(input, ids, earlier);
  }

  #secretIds(principal: Principal, owners: Owners, { experiment, jobs }: SubmitInput): Promise<SecretIds> {
    const payloads = jobs.map(({ payload }) => payload);
    return lookUpSecrets(this.#options, { principal, ...owners, experiment }, payloads);
  }

  /** Checks each job, alone and against the store. */
  async #examine(
    jobs: readonly JobSpec[],
    experiment: ExperimentFacts,
    secretIds: SecretIds,
    caller: { readonly principal: Principal; readonly owner: string },
  ): Promise<{ refusedJobs: ShownRefusals; parents: ParentStates }> {
    const [parents, checks] = await Promise.all([
      readableParents(this.#options.jobs, caller, externalParents(jobs)),
      requirementChecks(
        this.#options,
        experiment,
        jobs.map(({ requirements }) => requirements),
        { owner: caller.owner, payloads: jobs.map(({ payload }) => payload) },
      ),
    ]);
    const refusedJobs = new RefusedJobs();
    const bad = new Set<number>();
    for (const [index, job] of jobs.entries()) {
      if (index % jobsPerTurn === jobsPerTurn - 1) await turn();
      const errors = new InputErrors<JobInputErrorCode>();
      const path = ['jobs', index];
      checkJob(job, path, errors, checks);
      if (job.payload.secrets) checkSecretIds(job.payload, [...path, 'payload'], secretIds, errors);
      if (job.share != null && !experiment.shares.includes(shareOf(job.share, experiment))) {
        errors.add(
          [...path, 'share'],
          job.share,
          `a share of ${experiment.name}: ${listed(experiment.shares)}`,
          'SHARE_NOT_FOUND',
        );
      }
      checkParents(job, index, experiment, parents, bad, errors);
      if (errors.isEmpty) continue;
      bad.add(index);
      refusedJobs.add(index, errors.all);
    }
    return { refusedJobs, parents };
  }

  async #documents(
    owners: Owners,
    { jobs }: SubmitInput,
    reserved: SubmissionDocument,
    { experiment, parents, secretIds }: SubmitFacts,
  ): Promise<JobDocument[]> {
    const refused = new Set(reserved.refused.map(({ index }) => index));
    const idAt = batchJobIds(reserved.batchId, reserved.createdAt);
    const classOf = classifier(experiment);
    const now = this.#options.clock.now();
    const documents: JobDocument[] = [];
    for (const [index, job] of jobs.entries()) {
      if (index % jobsPerTurn === jobsPerTurn - 1) await turn();
      if (refused.has(index)) continue;
      const { requirements, classId } = classOf(job);
      const dependsOn = (job.dependsOn ?? []).map((id) =>
        sibling.test(id) ? idAt(Number(id.slice(1))) : id,
      );
      const waitingFor = dependsOn.filter((id) => parents.get(id)?.state !== 'FINISHED');
      const made = {
        id: idAt(index),
        createdAt: reserved.createdAt,
        experiment: experiment.name,
        name: job.name,
        ...owners,
        share:
          job.share != null
            ? shareOf(job.share, experiment)
            : (experiment.shares[0] ?? `${experiment.name}/default`),
        priority: job.priority ?? 0,
        labels: (job.labels ?? []).map(({ key, value }) => ({ key, value })),
        requirements,
        classId,
        payload: normalisePayload(job.payload, secretIds),
        retry: normaliseRetry(job.retry),
        dependsOn,
        waitingFor,
      };
      documents.push(newJobDocument(made, now));
    }
    const { classes } = this.#options;
    const isHostTest = isCanary(owners) && documents.some(({ requirements }) => requirements.selector);
    await (isHostTest ? classes.ensureForTests(classOf.classes, now) : classes.ensure(classOf.classes, now));
    return documents;
  }

  async #write(
    documents: readonly JobDocument[],
    reserved: SubmissionDocument,
    all = documents,
  ): Promise<void> {
    for (const batch of insertBatches(documents)) await this.#options.jobs.insertNew(batch);
    await this.#options.dependencies.checkAgain(all.flatMap(({ waitingFor }) => waitingFor));
    // A repetition works without this record, but slower: no caller waits for it.
    const noted = this.#options.submissions
      .done(reserved._id, this.#options.clock.now())
      .catch((error: unknown) =>
        this.#options.log.warn({ err: error }, 'recording of a completed submit failed'),
      )
      .finally(() => this.#background.delete(noted));
    this.#background.add(noted);
  }

  #answer(
    input: SubmitInput,
    accepted: readonly { readonly _id: string }[],
    { refused, omitted = 0 }: Pick<SubmissionDocument, 'refused' | 'omitted'>,
  ): SubmitResult {
    const bad = new Set(refused.map(({ index }) => index));
    const rest = accepted.values();
    const jobs = input.jobs.map((_, index) => (bad.has(index) ? null : (rest.next().value ?? null)));
    return { jobs, refusals: refused.flatMap(({ refusals }) => refusals), omitted };
  }
}

/** Path of a share that is given by its path or its leaf name. */
export function shareOf(share: string, experiment: Pick<ExperimentFacts, 'name'>): string {
  return share.includes('/') ? share : `${experiment.name}/${share}`;
}

/** Error of the whole call. */
export function refusalOf<C extends JobInputErrorCode>(
  code: C,
  path: readonly string[],
  value: unknown,
  expected: string,
): InputError<C> {
  const errors = new InputErrors<C>();
  errors.add(path, value, expected, code);
  return errors.all[0] as InputError<C>;
}

/** Error for a key that was used with another input. */
export function keyReused(key: string): JobValueError {
  return refusalOf(
    'IDEMPOTENCY_KEY_REUSED',
    ['idempotencyKey'],
    key,
    'a key that was not used with another input',
  );
}

/** Reports a key that was used with another input. */
export function reportReused(
  errors: Pick<InputErrors<'IDEMPOTENCY_KEY_REUSED'>, 'report'>,
  key: string,
): void {
  const { path, message } = keyReused(key);
  errors.report('IDEMPOTENCY_KEY_REUSED', path, message);
}

/** Formats a list for a message. */
export function listed(values: readonly string[]): string {
  return values.slice(0, 10).join(', ') + (values.length > 10 ? ', …' : '');
}

function checkCall({ experiment, idempotencyKey, jobs }: SubmitInput): JobInputError | undefined {
  const errors = new InputErrors<JobInputErrorCode>();
  if (jobs.length > maxJobsPerSubmit) {
    return refusalOf(
      'BATCH_TOO_LARGE',
      ['jobs'],
      `${jobs.length} jobs`,
      `at most ${maxJobsPerSubmit} jobs in one call`,
    );
  }
  if (jobs.length === 0) errors.add(['jobs'], '0 jobs', `1 to ${maxJobsPerSubmit} jobs`);
  errors.verbatim(['idempotencyKey'], idempotencyKey, 1, 200);
  errors.verbatim(['experiment'], experiment, 1, 31);
  return errors.all[0];
}

function checkParents(
  { dependsOn }: JobSpec,
  index: number,
  experiment: ExperimentFacts,
  parents: ParentStates,
  refused: ReadonlySet<number>,
  errors: JobInputErrors,
): void {
  (dependsOn ?? []).slice(0, 1000).forEach((id, position) => {
    const path = ['jobs', index, 'dependsOn', position];
    const refuse = (expected: string) => errors.add(path, id, expected, 'DEPENDENCY_INVALID');
    if (sibling.test(id)) {
      const at = Number(id.slice(1));
      if (at >= index) refuse(`a job before position ${index} in the call`);
      else if (refused.has(at)) refuse('a job of the call that is not refused');
    } else if (parents.get(id)?.experiment !== experiment.name)
      refuse(`a job of ${experiment.name} that you may read, or #N`);
  });
}

function externalParents(jobs: readonly JobSpec[]): readonly string[] {
  const ids = new Set<string>();
  for (const { dependsOn } of jobs) for (const id of dependsOn ?? []) if (!sibling.test(id)) ids.add(id);
  return [...ids];
}

function nothing({ jobs }: SubmitInput, refusal: JobInputError): SubmitResult {
  return { jobs: jobs.map(() => null), refusals: [refusal], omitted: 0 };
}
