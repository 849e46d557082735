/**
 * Requests for pilots, and reports about them. The requests of a queue follow one another through its ledger:
 * each is recorded there before its pilots are stored, and the next one first stores those of the one before,
 * unless all were stored. So two processes, or a process that is killed, never give more pilots than the
 * limit.
 */
import { can, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { DomainError, type InputError, type InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import { creationDigest } from '../../shared/idempotency.js';
import { admits } from '../../scheduler/cache/equivalent-workers.js';
import type { WorkerAccess } from '../../workers/worker-access.js';
import type { QueueLookup } from '../../workers/worker-directory.service.js';
import type { WorkersRepository } from '../../workers/workers.repository.js';
import { idsByQueue } from '../model/ids-by-queue.js';
import {
  openPilotStates,
  type PilotDocument,
  type PilotGrant,
  type PilotState,
} from '../model/pilot.types.js';
import type { PilotsRepository } from '../store/pilots.repository.js';
import {
  checkReport,
  checkRequest,
  type ReportCode,
  type RequestCode,
  type DemandCode,
  type ReportPilots,
  type RequestPilots,
} from './pilot-input.js';

/** Pilots, or the reasons for a refusal. */
export interface PilotsResult<TCode extends string> {
  readonly pilots: readonly PilotDocument[];
  readonly userErrors: readonly InputError<TCode>[];
}

/** Page of the pilots of a queue. */
export interface QueuePilots {
  readonly queueId: string;
  readonly states?: readonly PilotState[] | null | undefined;
  readonly first: number;
  readonly after: string | null | undefined;
}

/** Dependencies of {@link PilotsService}. */
export interface PilotsServiceOptions {
  readonly pilots: PilotsRepository;
  readonly workers: Pick<WorkersRepository, 'ofBatchJobs'>;
  readonly queues: Pick<QueueLookup, 'freshByNames'>;
  readonly access: Pick<WorkerAccess, 'assert'>;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Time for which an instance may request pilots after its last report. */
const usualLeaseSeconds = 120;
/** The same after a request, unless it may already for longer. */
const requestLeaseSeconds = 5;
/** Most attempts while others write the ledger. */
const maxTries = 5;

/** Requests pilots, and records what becomes of them. */
export class PilotsService {
  readonly #options: PilotsServiceOptions;

  constructor(options: PilotsServiceOptions) {
    this.#options = options;
  }

  /**
   * Records pilots that an executor is about to submit: as many as asked for, or as the limit leaves. A
   * repeated call returns the same pilots.
   * @throws DomainError FORBIDDEN; CONFLICT if other calls change the ledger at the same time
   */
  async request(principal: Principal, input: RequestPilots): Promise<PilotsResult<RequestCode>> {
    const { pilots } = this.#options;
    const errors = checkRequest(input);
    const queue = await this.#queue(principal, input.queue, errors);
    // The pilots count against the demand of the experiment in all queues.
    if (queue && !admits(queue, input.experiment))
      errors.add(['experiment'], input.experiment, `an experiment that queue ${queue.name} admits`);
    if (!queue || !errors.isEmpty) return { pilots: [], userErrors: errors.all };
    const { instance, idempotencyKey: key } = input;
    const digest = creationDigest({ ...input, instance: undefined, queue: queue.id });
    for (let attempt = 0; attempt < maxTries; attempt += 1) {
      const ledger = await pilots.hold(queue.id, instance, requestLeaseSeconds, false);
      if (ledger.instance !== instance) {
        errors.report('NOT_LEADING', ['instance'], notLeading(ledger, queue));
        return { pilots: [], userErrors: errors.all };
      }
      if (ledger.grant) await pilots.insert(queue.id, ledger.grant, this.#options.clock.now());
      const known = await pilots.ofRequest(queue.id, key);
      const before = known[0]?.requestDigest ?? (ledger.grant?.key === key ? ledger.grant.digest : undefined);
      if (before !== undefined) return before === digest ? { pilots: known, userErrors: [] } : reused(key);
      const open = await pilots.countOpen(queue.id, input.maxOpenPilots);
      const count = Math.min(input.count, input.maxOpenPilots - open);
      const grant = this.#grant(input, digest, count);
      if (!(await pilots.record(ledger, grant))) continue;
      await pilots.insert(queue.id, grant, this.#options.clock.now());
      return { pilots: await pilots.ofRequest(queue.id, key), userErrors: [] };
    }
    const text = `queue: pilots of ${JSON.stringify(input.queue)} are being requested by others at this moment`;
    throw new DomainError('CONFLICT', text, { field: 'queue', value: input.queue });
  }

  /**
   * Records what the batch system says of pilots, and renews the right of the instance to request more.
   * Pilots that have ended, or that do not exist, are left out of the answer.
   * @throws DomainError FORBIDDEN
   */
  async report(principal: Principal, input: ReportPilots): Promise<PilotsResult<ReportCode>> {
    const { pilots } = this.#options;
    const errors = checkReport(input);
    const queue = await this.#queue(principal, input.queue, errors);
    if (!queue || !errors.isEmpty) return { pilots: [], userErrors: errors.all };
    const { instance } = input;
    const ledger = await pilots.hold(queue.id, instance, input.leaseSeconds ?? usualLeaseSeconds, true);
    if (ledger.instance !== instance) {
      errors.report('NOT_LEADING', ['instance'], notLeading(ledger, queue));
      return { pilots: [], userErrors: errors.all };
    }
    const reports = input.pilots.map(({ id, state, batchJobId, reason }) => ({
      ...{ id, state, batchJobId: batchJobId ?? undefined, reason: reason ?? undefined },
    }));
    await pilots.report(queue.id, reports);
    const found = await pilots.findMany(
      queue.id,
      reports.map(({ id }) => id),
    );
    const stateOf = new Map(reports.map(({ id, state }) => [id, state]));
    return { pilots: found.filter(({ _id, state }) => stateOf.get(_id) === state), userErrors: [] };
  }

  /** True if the principal may see the pilots of a queue: those show which experiments have jobs. */
  maySee(principal: Principal, { experiments }: Pick<QueueFacts, 'experiments'>): boolean {
    if (experiments.length === 0) return can(principal, 'pilot:request', '*');
    return experiments.every((experiment) => can(principal, 'pilot:request', experiment));
  }

  /** Pages of the pilots of queues that the caller may see, in the order of the requests. */
  pages(requests: readonly QueuePilots[]): Promise<readonly KeysetPage<PilotDocument>[]> {
    return this.#options.pilots.pages(
      requests.map(({ states, ...page }) => ({ ...page, states: states ?? openPilotStates })),
    );
  }

  /** The newest worker of each pilot, in their order: a pilot may have registered several times. */
  async workerIds(pilots: readonly PilotDocument[]): Promise<readonly (string | undefined)[]> {
    const newest = new Map<string, string>();
    for (const [queueId, ids] of idsByQueue(pilots))
      for (const [id, workerId] of await this.#options.workers.ofBatchJobs(queueId, ids))
        newest.set(id, workerId);
    return pilots.map(({ _id, workerId }) => newest.get(_id) ?? workerId);
  }

  async #queue(
    principal: Principal,
    name: string,
    errors: Pick<InputErrors<DemandCode>, 'report'>,
  ): Promise<QueueFacts | undefined> {
    const { access, queues } = this.#options;
    await access.assert(principal, 'pilot:request', name);
    const [queue] = await queues.freshByNames([name]);
    if (!queue) errors.report('QUEUE_NOT_FOUND', ['queue'], `Queue ${JSON.stringify(name)} not found.`);
    return queue;
  }

  #grant(
    { idempotencyKey: key, executor, ...input }: RequestPilots,
    digest: string,
    count: number,
  ): PilotGrant {
    const { classId, experiment, shape, jobsPerPilot } = input;
    const order = { classId, experiment, shape, jobsPerPilot };
    return {
      batch: this.#options.ids.next('pilot'),
      key,
      digest,
      executor,
      order,
      count: Math.max(0, count),
    };
  }
}

function notLeading(
  ledger: { readonly instance: string; readonly until: Date },
  { name }: QueueFacts,
): string {
  const until = ledger.until.toISOString();
  return `instance: executor ${JSON.stringify(ledger.instance)} requests the pilots of queue ${JSON.stringify(name)} until ${until}; wait, or stop it`;
}

function reused(key: string): PilotsResult<RequestCode> {
  const message = `idempotencyKey: ${JSON.stringify(key)} was used before with other content; must be a new key`;
  return { pilots: [], userErrors: [{ code: 'IDEMPOTENCY_KEY_REUSED', path: ['idempotencyKey'], message }] };
}
