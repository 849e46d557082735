import { InputErrors } from '@rhizome/errors';
import { can, experimentsFor, owns, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { digestOf, isDigestOf } from '@rhizome/digest';
import type { BulkChanges } from './bulk-changes.js';
import { checkRetryChanges } from './retry-changes.js';
import { requesterOf } from './bulk-rules.js';
import { bulkOperationsCollection, type BulkOperationDocument } from './bulk-operation.document.js';
import type { BulkRepository } from './bulk.repository.js';
import type { BulkRunner } from './bulk-runner.js';
import type {
  BulkUserError,
  BulkJob,
  BulkKind,
  BulkOutcome,
  BulkParameters,
  BulkRefusal,
  BulkRequester,
  BulkSelection,
} from './bulk.types.js';
import type { ExperimentDirectory } from '../ports.js';
import { storedKey } from '../../shared/stored-key.js';
import type { JobFilterPlan } from '../model/job-filter.js';
import { planSelection } from './bulk-selection.js';
import { searchFields } from '../model/job-search.js';
import type { JobsRepository } from '../model/jobs.repository.js';
import type { JobInputErrors, JobInputErrorCode } from '../submit/job-input-error.types.js';

/** Dependencies of {@link BulkService}. */
export interface BulkServiceOptions {
  readonly jobs: JobsRepository;
  readonly operations: BulkRepository;
  readonly changes: BulkChanges;
  readonly runner: BulkRunner;
  readonly experiments: ExperimentDirectory;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Requested change of jobs. */
export interface BulkInput {
  readonly selection: BulkSelection;
  readonly parameters: BulkParameters;
  readonly idempotencyKey?: string | null | undefined;
}

/** Result of a change that is done or in progress. */
export interface BulkAnswer {
  readonly changedCount: number;
  readonly refusedCount: number;
  /** Present for a selection by ids, and for the copies of a retry. */
  readonly changedIds: readonly string[] | null;
  readonly refusedByReason: Readonly<Record<string, number>>;
  readonly refusals: readonly BulkRefusal[];
  /** Operation that continues in the background. */
  readonly operation: BulkOperationDocument | null;
}

/** Result, or the errors because of which nothing was changed. */
export type BulkResult = { readonly answer: BulkAnswer } | { readonly userErrors: readonly BulkUserError[] };

/** Maximum number of jobs that are changed while the caller waits. */
const maxAtOnce = 10_000;
const keptRefusals = 100;

/** Changes many jobs. */
export class BulkService {
  readonly #options: BulkServiceOptions;

  constructor(options: BulkServiceOptions) {
    this.#options = options;
  }

  /** Applies a change: at once for up to 10,000 jobs, otherwise as a recorded operation in the background. */
  async change(principal: Principal, kind: BulkKind, input: BulkInput): Promise<BulkResult> {
    const userErrors = check(kind, input);
    if (userErrors.length > 0) return { userErrors };
    const requester = requesterOf(principal);
    const key =
      input.idempotencyKey == null ? undefined : storedKey(principal.subject, kind, input.idempotencyKey);
    const asked = [kind, input.selection, input.parameters];
    const digest = key === undefined ? undefined : digestOf(asked);
    const isSame = ({ digest: stored }: BulkOperationDocument): boolean =>
      stored === digest || (stored !== undefined && isDigestOf(stored, asked, digest));
    const earlier = key === undefined ? null : await this.#options.operations.findByKey(key);
    if (earlier && !isSame(earlier)) return { userErrors: [reused(input)] };
    if (earlier) return (await this.#repeat(earlier, input)) ?? this.change(principal, kind, input);
    const chosen = await this.#choose(principal, input.selection);
    if (chosen.ids.length <= maxAtOnce && key === undefined)
      return { answer: await this.#atOnce(requester, kind, input, chosen.ids) };
    const operation = await this.#record(principal, kind, input, chosen, { key, digest, requester });
    if (!isSame(operation)) return { userErrors: [reused(input)] };
    return (await this.#carryOut(operation, input)) ?? this.change(principal, kind, input);
  }

  /** Recorded operation; null unless the caller started it or is ADMIN of all experiments. */
  async operation(principal: Principal, id: string): Promise<BulkOperationDocument | null> {
    const found = await this.#options.operations.find(id);
    if (!found) return null;
    const { kind, subject } = found.requester;
    const isOwn = kind === principal.kind && owns(principal, subject);
    return isOwn || can(principal, 'admin:*', '*') ? found : null;
  }

  async #repeat(earlier: BulkOperationDocument, input: BulkInput): Promise<BulkResult | null> {
    if (earlier.state === 'DONE' || earlier.isBackground) return { answer: answerOf(earlier, input) };
    return this.#carryOut(earlier, input);
  }

  async #choose(
    principal: Principal,
    selection: BulkSelection,
  ): Promise<{ ids: readonly string[]; plan?: JobFilterPlan }> {
    if ('ids' in selection) return { ids: [...new Set(selection.ids)] };
    const plan = planSelection(
      selection.criteria,
      experimentsFor(principal, 'job:read'),
      await this.#options.experiments.names(),
    );
    return { ids: await this.#options.jobs.ids(plan, maxAtOnce + 1), plan };
  }

  async #atOnce(
    requester: BulkRequester,
    kind: BulkKind,
    input: BulkInput,
    ids: readonly string[],
  ): Promise<BulkAnswer> {
    const bulk: BulkJob = {
      kind,
      parameters: input.parameters,
      requester,
      createdAt: this.#options.clock.now(),
      isResumed: false,
    };
    const outcome = await this.#options.changes.apply(bulk, ids);
    return {
      changedCount: outcome.changed.length,
      refusedCount: outcome.refused.length,
      changedIds: 'ids' in input.selection ? outcome.changed : null,
      refusedByReason: byReason(outcome),
      refusals: outcome.refused.slice(0, keptRefusals),
      operation: null,
    };
  }

  async #record(
    principal: Principal,
    kind: BulkKind,
    { selection, parameters }: BulkInput,
    { ids, plan }: { readonly ids: readonly string[]; readonly plan?: JobFilterPlan },
    {
      key,
      digest,
      requester,
    }: {
      readonly key: string | undefined;
      readonly digest: string | undefined;
      readonly requester: BulkRequester;
    },
  ): Promise<BulkOperationDocument> {
    const { clock, ids: source, jobs, operations, runner } = this.#options;
    const now = clock.now();
    const isBackground = ids.length > maxAtOnce && plan !== undefined && 'criteria' in selection;
    const choice = isBackground
      ? {
          criteria: defined(selection.criteria),
          visible: experimentsFor(principal, 'job:read'),
          upTo: source.next('job'),
        }
      : { page: ids };
    const operation: BulkOperationDocument = {
      _id: source.next('op'),
      schemaVersion: bulkOperationsCollection.schemaVersion,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      kind,
      state: 'RUNNING',
      requester,
      parameters: defined(parameters),
      ...(key === undefined ? {} : { key }),
      ...(digest === undefined ? {} : { digest }),
      ...choice,
      isBackground,
      totalCount: isBackground ? await jobs.count(plan) : ids.length,
      changedCount: 0,
      refusedCount: 0,
      refusedByReason: {},
      refusals: [],
    };
    return operations.create(operation, runner.id, clock.now());
  }

  /** @returns null if another process ended the operation, which changed nothing: its key is free again */
  async #carryOut(operation: BulkOperationDocument, input: BulkInput): Promise<BulkResult | null> {
    const { runner, operations } = this.#options;
    const { _id } = operation;
    if (operation.isBackground) {
      runner.runInBackground(_id);
      return { answer: answerOf(operation, input) };
    }
    const done = await runner.run(_id);
    // Its caller gets the answer now, and no key leads to it: callers without rights must not fill the store.
    if (done?.changedCount === 0) await operations.remove(_id);
    const current = done ?? (await operations.find(_id));
    return current && { answer: answerOf(current, input) };
  }
}

function answerOf(operation: BulkOperationDocument, { selection }: BulkInput): BulkAnswer {
  const {
    changedCount,
    refusedCount,
    changedIds = [],
    refusedByReason,
    refusals,
    isBackground,
    state,
    kind,
  } = operation;
  const showsIds = 'ids' in selection || kind === 'RETRY';
  return {
    changedCount,
    refusedCount,
    changedIds: showsIds && !isBackground && changedIds.length === changedCount ? changedIds : null,
    refusedByReason,
    refusals,
    operation: isBackground || state === 'RUNNING' ? operation : null,
  };
}

function byReason({ refused }: BulkOutcome): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { code } of refused) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

function check(
  kind: BulkKind,
  { selection, parameters, idempotencyKey }: BulkInput,
): readonly BulkUserError[] {
  const errors = new InputErrors<JobInputErrorCode>();
  if ('ids' in selection) {
    if (selection.ids.length === 0) errors.add(['selection', 'ids'], '0 ids', `1 to ${maxAtOnce} ids`);
    if (selection.ids.length > maxAtOnce)
      errors.add(
        ['selection', 'ids'],
        `${selection.ids.length} ids`,
        `at most ${maxAtOnce} ids; use a filter to select more`,
      );
  } else checkCriteria(selection.criteria, errors);
  if (kind === 'HOLD') errors.lines(['reason'], parameters.reason ?? '', 1, 500);
  else if (parameters.reason !== undefined) errors.lines(['reason'], parameters.reason, 0, 500);
  if (kind === 'SET_PRIORITY') errors.int(['priority'], parameters.priority ?? Number.NaN, -1000, 1000);
  if (parameters.changes) checkRetryChanges(parameters.changes, errors);
  if (idempotencyKey != null) errors.verbatim(['idempotencyKey'], idempotencyKey, 1, 200);
  else if (kind === 'RETRY') errors.add(['idempotencyKey'], idempotencyKey, '1 to 200 characters');
  return errors.all.map(({ path, message }) => ({ code: 'INVALID_VALUE' as const, path, message }));
}

function checkCriteria(
  criteria: Extract<BulkSelection, { criteria: unknown }>['criteria'],
  errors: JobInputErrors,
): void {
  if ((criteria.ids?.length ?? 0) > 1000)
    errors.add(['selection', 'filter', 'ids'], `${criteria.ids?.length} ids`, 'at most 1000 ids');
  for (const name of searchFields)
    if (criteria[name] !== undefined)
      errors.add(['selection', 'filter', name], criteria[name], 'left out: only lists can be searched by it');
  const isEmpty = Object.values(criteria).every((value) => value === undefined);
  if (isEmpty)
    errors.add(['selection', 'filter'], {}, 'at least one condition: a change of all jobs is not allowed');
}

function reused({ idempotencyKey }: BulkInput): BulkUserError {
  const errors = new InputErrors<JobInputErrorCode>();
  errors.add(['idempotencyKey'], idempotencyKey, 'a key that no other change has used');
  return {
    code: 'IDEMPOTENCY_KEY_REUSED',
    path: ['idempotencyKey'],
    message: errors.all[0]?.message ?? '',
  };
}

/** Removes undefined members: MongoDB would store them as null. */
function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as T;
}
