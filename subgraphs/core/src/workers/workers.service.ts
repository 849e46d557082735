/** Registers workers, processes their heartbeats, ends and lists them. */
import { can, experimentsFor, type Principal } from '@rhizome/authz';
import { badInput, DomainError, InputErrors } from '@rhizome/errors';
import type { Clock } from '@rhizome/clock';
import type { KeysetPage } from '@rhizome/mongo';
import type { CommandHub, CommandsMessage } from './commands/command-hub.js';
import { type CommandRules, drainOf } from './commands/command-rules.js';
import type { WorkerCommand } from './commands/worker-command.types.js';
import { type FactReports, reportOf } from './registration/fact-reports.js';
import type { Heartbeats } from './leases/heartbeats.js';
import type { LeasesRepository, Renewal } from './leases/leases.repository.js';
import type { WorkerReturns } from './adoption/worker-returns.js';
import type { Registration } from './registration/registration.js';
import {
  checkDevices,
  checkDeviceUse,
  type DeviceInput,
  deviceUseOf,
  type DeviceUseInput,
} from './registration/device-input.js';
import {
  checkHardware,
  checkRegistration,
  type HardwareInput,
  type RegisterInput,
} from './registration/worker-input.js';
import { maySee, type WorkerAccess } from './worker-access.js';
import { rejectUnknownOrLost, type AccessCode, type WorkerProblem } from './worker-errors.js';
import type { WorkerEnds } from './worker-ends.js';
import { checkProgress, type ProgressSpec } from './reports/progress-input.js';
import type { ProgressReports } from './reports/progress-reports.js';
import type { WorkerRegistry } from './worker-registry.js';
import { workerLimits } from './worker.document.js';
import {
  type HeldJob,
  type LeaseDocument,
  type LeaseTerms,
  openWorkerStates,
  type WorkerDocument,
} from './worker.types.js';
import type { WorkersRepository } from './workers.repository.js';
import type { WorkerState } from '../scheduler/worker-facts.types.js';
import { usualLogIntervalMs } from '../queues/log-interval.js';
import { usualLongestNoticeSeconds } from '../shared/notice.js';
import type { QueueFacts } from '../queues/queue-facts.types.js';

/** Lookups of queues; each returns one entry for each name. */
export interface QueueLookup {
  /** Queues by name; those missing in memory are read from the store. */
  byNames(names: readonly string[]): Promise<readonly (QueueFacts | undefined)[]>;
  /** Queues by name, read from the store. */
  freshByNames(names: readonly string[]): Promise<readonly (QueueFacts | undefined)[]>;
  /** All queues, read from the store. */
  allFresh(): Promise<readonly QueueFacts[]>;
}

/** Dependencies of {@link WorkersService}. */
export interface WorkersOptions {
  readonly workers: WorkersRepository;
  readonly leases: LeasesRepository;
  readonly registration: Registration;
  readonly heartbeats: Heartbeats;
  readonly facts: FactReports;
  readonly progress: Pick<ProgressReports, 'record'>;
  readonly registry: WorkerRegistry;
  readonly queues: QueueLookup;
  readonly access: WorkerAccess;
  readonly commands: CommandRules;
  readonly returns: WorkerReturns;
  readonly ends: Pick<WorkerEnds, 'end'>;
  readonly hub: Pick<CommandHub, 'listen'>;
  /** Returns the job that each device of a worker is given to. */
  readonly devices: (workerId: string) => Promise<ReadonlyMap<string, string>>;
  readonly clock: Clock;
}

type RegisterCode = 'QUEUE_NOT_FOUND' | 'IDEMPOTENCY_KEY_REUSED';

/** The worker, or the reasons for a refusal. */
export interface RegisterResult {
  readonly worker: WorkerDocument | null;
  readonly heartbeatSeconds: number | null;
  readonly leaseSeconds: number | null;
  readonly maxNoticeSeconds: number | null;
  readonly logIntervalMs: number | null;
  /** ADOPT or DROP for each job that the worker listed. */
  readonly commands: readonly WorkerCommand[];
  readonly userErrors: readonly WorkerProblem<RegisterCode>[];
}

/** Input of `heartbeat`. */
export interface HeartbeatSpec {
  readonly workerId: string;
  readonly jobs?: readonly HeldJob[] | null | undefined;
  readonly hardware?: HardwareInput | null | undefined;
  readonly devices?: readonly DeviceInput[] | null | undefined;
  readonly deviceUse?: readonly DeviceUseInput[] | null | undefined;
  readonly progress?: readonly ProgressSpec[] | null | undefined;
}

/** Answer to a heartbeat. */
export interface HeartbeatResult {
  readonly leaseExpiresAt: Date | null;
  readonly commands: readonly WorkerCommand[];
  readonly userErrors: readonly WorkerProblem<AccessCode>[];
}

/** Position and size of a page. */
export interface WorkersPage {
  readonly first: number;
  readonly after: string | null | undefined;
}

/** Filter of the workers in a page. */
export interface WorkersQuery {
  readonly ids?: readonly string[] | null | undefined;
  readonly queues?: readonly string[] | null | undefined;
  readonly states?: readonly WorkerState[] | null | undefined;
}

/** Most ids in one filter. */
const maxIds = 1000;

/** Registers, lists and ends workers, and processes their heartbeats. */
export class WorkersService {
  readonly #options: WorkersOptions;

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  /**
   * Workers by id, one entry for each id; null if there is none, or if the principal may not see its queue.
   */
  async findMany(ids: readonly string[], principal: Principal): Promise<readonly (WorkerDocument | null)[]> {
    const found = new Map((await this.#options.workers.findMany(ids)).map((worker) => [worker._id, worker]));
    const visible = await this.#visible(new Set([...found.values()].map(({ queue }) => queue)), principal);
    return ids.map((id) => {
      const worker = found.get(id);
      return worker && visible.has(worker.queue) ? worker : null;
    });
  }

  /**
   * Returns the queues whose workers the principal may see. Queues that memory does not show are read from
   * the store.
   */
  async #visible(names: ReadonlySet<string>, principal: Principal): Promise<ReadonlySet<string>> {
    const { queues } = this.#options;
    const seen = async (
      wanted: readonly string[],
      read: (names: readonly string[]) => Promise<readonly (QueueFacts | undefined)[]>,
    ): Promise<readonly string[]> => {
      const found = wanted.length === 0 ? [] : await read(wanted);
      return wanted.filter((_name, index) => isVisible(found[index], principal));
    };
    const known = new Set(await seen([...names], (wanted) => queues.byNames(wanted)));
    const rest = [...names].filter((name) => !known.has(name));
    return new Set([...known, ...(await seen(rest, (wanted) => queues.freshByNames(wanted)))]);
  }

  /** Leases by worker, one entry for each id. */
  async leases(ids: readonly string[]): Promise<readonly (LeaseDocument | null)[]> {
    const found = new Map((await this.#options.leases.findMany(ids)).map((lease) => [lease._id, lease]));
    return ids.map((id) => found.get(id) ?? null);
  }

  /**
   * A page of the workers whose queues the principal may see, newest first; empty for a queue that does not
   * exist.
   * @throws DomainError BAD_USER_INPUT, CURSOR_INVALID
   */
  async page(
    principal: Principal,
    query: WorkersQuery,
    page: WorkersPage,
  ): Promise<KeysetPage<WorkerDocument>> {
    const [only] = await this.pages(principal, [{ query, ...page }]);
    if (only) return only;
    throw new Error('a page of workers was not read');
  }

  /** Pages as {@link page} reads them, in the order of the requests, with one read for a list. */
  async pages(
    principal: Principal,
    wanted: readonly (WorkersPage & { readonly query: WorkersQuery })[],
  ): Promise<readonly KeysetPage<WorkerDocument>[]> {
    for (const { query } of wanted) {
      if ((query.ids?.length ?? 0) > maxIds)
        throw badInput('filter.ids', `${query.ids?.length} ids`, `at most ${maxIds} ids`);
      if ((query.queues?.length ?? 0) > maxIds)
        throw badInput('filter.queues', `${query.queues?.length} names`, `at most ${maxIds} names`);
    }
    const seesAll = experimentsFor(principal, 'worker:read') === '*';
    const queues = await this.#queuesOf(
      wanted.map(({ query }) => query.queues ?? undefined),
      seesAll,
    );
    const seen = queues.filter((queue) => maySee(principal, queue));
    return this.#options.workers.pages(
      wanted.map(({ query, first, after }) => {
        const isAll = query.queues == null && seesAll;
        const own = seen.filter(({ name }) => query.queues?.includes(name) ?? true);
        const queueIds = isAll ? undefined : own.map(({ id }) => id);
        const states = query.states ?? openWorkerStates;
        return { filter: { ids: query.ids ?? undefined, queueIds, states }, first, after };
      }),
    );
  }

  /**
   * Returns the queues that pages are limited to, read from the store: all of them if a page names none and
   * the principal does not see every worker.
   */
  async #queuesOf(
    names: readonly (readonly string[] | undefined)[],
    seesAll: boolean,
  ): Promise<readonly QueueFacts[]> {
    const { queues } = this.#options;
    if (!seesAll && names.includes(undefined)) return queues.allFresh();
    const named = [...new Set(names.flatMap((some) => some ?? []))];
    const found = named.length === 0 ? [] : await queues.freshByNames(named);
    return found.filter((queue) => queue !== undefined);
  }

  /** The job that a device is given to, or undefined. */
  async deviceHolder(workerId: string, deviceId: string): Promise<string | undefined> {
    return (await this.#options.devices(workerId)).get(deviceId);
  }

  /**
   * Commands to a worker from now on; the first message has those that apply already.
   * @throws DomainError WORKER_LOST, WORKER_NOT_FOUND, FORBIDDEN
   */
  async commands(principal: Principal, workerId: string): Promise<AsyncIterableIterator<CommandsMessage>> {
    const { registry, queues, access, hub, clock } = this.#options;
    const worker = await access.workerFor(principal, 'worker:heartbeat', await registry.find(workerId));
    const refusal = rejectUnknownOrLost(workerId, worker);
    if (!worker || refusal)
      throw new DomainError(
        refusal?.code === 'WORKER_LOST' ? 'WORKER_LOST' : 'WORKER_NOT_FOUND',
        refusal?.message ?? workerId,
      );
    const [queue] = await queues.byNames([worker.queue]);
    return hub.listen(workerId, drainOf(worker, queue, clock.now()));
  }

  /** Registers a worker. @throws DomainError FORBIDDEN; CONFLICT, see {@link Registration.run} */
  async register(principal: Principal, spec: RegisterInput): Promise<RegisterResult> {
    await this.#options.access.assert(principal, 'worker:register', spec.queue);
    const errors = new InputErrors<RegisterCode>();
    checkRegistration(errors, spec, this.#options.clock.now());
    const [queue] = await this.#options.queues.byNames([spec.queue]);
    if (!queue)
      errors.report(
        'QUEUE_NOT_FOUND',
        ['queue'],
        `Queue ${JSON.stringify(spec.queue)} not found; create it first.`,
      );
    if (!queue || !errors.isEmpty) return notRegistered(errors.all);
    const { heartbeatSeconds, leaseSeconds } = queue.limits;
    const { maxNoticeSeconds = usualLongestNoticeSeconds, logIntervalMs = usualLogIntervalMs } = queue.limits;
    const outcome = await this.#options.registration.run(principal, spec, queue);
    if ('code' in outcome) return notRegistered([outcome]);
    const { worker, commands } = outcome;
    this.#options.registry.set(worker);
    const times = { heartbeatSeconds, leaseSeconds, maxNoticeSeconds, logIntervalMs };
    return { worker, ...times, commands, userErrors: [] };
  }

  /** Renews the lease of a worker, stores changed facts, and returns commands. */
  async heartbeat(principal: Principal, spec: HeartbeatSpec): Promise<HeartbeatResult> {
    const { registry, queues, access, returns, facts, commands, progress } = this.#options;
    const known = await access.workerFor(principal, 'worker:heartbeat', await registry.find(spec.workerId));
    const errors = checkHeartbeat(spec);
    const refusal = rejectUnknownOrLost(spec.workerId, known);
    if (!known || refusal) return refused(refusal ? [refusal] : []);
    if (!errors.isEmpty) return refused(errors.all);
    const worker = await returns.present(principal, known);
    const loss = rejectUnknownOrLost(spec.workerId, worker);
    if (loss) return refused([loss]);
    const [queue] = await queues.byNames([worker.queue]);
    const jobs = (spec.jobs ?? []).map(({ id, fence }) => ({ id, fence }));
    const report = reportOf(spec);
    const use = spec.devices ?? spec.deviceUse;
    const lease = await this.#renew(principal, worker, {
      workerId: worker._id,
      leaseSeconds: queue?.limits.leaseSeconds ?? 30,
      jobs,
      digests: report.digests,
      ...(use ? { deviceUse: deviceUseOf(use) } : {}),
    });
    if (!lease || lease.lostAt) return refused([await this.#lostNow(worker._id, lease)]);
    const current = await facts.apply(worker, report, lease);
    const [answer] = await Promise.all([
      commands.forHeartbeat(principal, current, queue, jobs),
      progress.record(principal, worker._id, spec.progress ?? []),
    ]);
    if (lease.retained) await returns.releaseEnded(lease, jobs);
    if (worker.returnedAt) await returns.settle(worker, jobs);
    return { leaseExpiresAt: lease.expiresAt, commands: answer, userErrors: [] };
  }

  /** Renews a lease; one that has ended is revived first, if the worker may return. */
  async #renew(
    principal: Principal,
    worker: WorkerDocument,
    renewal: Renewal,
  ): Promise<LeaseTerms | undefined> {
    const { heartbeats, returns } = this.#options;
    const lease = await heartbeats.renew(renewal);
    if (!lease?.lostAt || lease.isFinal) return lease;
    const returned = await returns.revive(principal, worker);
    const revived = await heartbeats.renew(renewal);
    if (revived && !revived.lostAt) await returns.settle(returned, renewal.jobs);
    return revived;
  }

  /** Sets a worker to DRAINING, or ends it if it reports its end. Jobs that it still has are requeued. */
  async drain(
    principal: Principal,
    spec: {
      readonly workerId: string;
      readonly reason?: string | null | undefined;
      readonly hasEnded?: boolean | null | undefined;
    },
  ): Promise<{
    readonly worker: WorkerDocument | null;
    readonly userErrors: readonly WorkerProblem<AccessCode>[];
  }> {
    const { registry, workers, ends, access } = this.#options;
    const worker = await access.workerFor(principal, 'worker:drain', await registry.find(spec.workerId));
    // A repeated report of the end is confirmed, not refused.
    if (worker?.state === 'ENDED' && spec.hasEnded) return { worker, userErrors: [] };
    const refusal = rejectUnknownOrLost(spec.workerId, worker);
    if (!worker || refusal) return { worker: null, userErrors: refusal ? [refusal] : [] };
    const reason = spec.reason ?? undefined;
    const errors = new InputErrors();
    if (reason !== undefined) errors.text(['reason'], reason, 1, 500);
    if (!errors.isEmpty) return { worker: null, userErrors: errors.all };
    if (spec.hasEnded) {
      const [ended] = await ends.end([worker._id], reason);
      return this.#drainResult(worker._id, ended?.state === 'ENDED' ? ended : null);
    }
    return this.#drainResult(
      worker._id,
      worker.state === 'DRAINING' ? worker : await workers.drain(worker._id, reason),
    );
  }

  async #drainResult(
    id: string,
    changed: WorkerDocument | null,
  ): Promise<{ worker: WorkerDocument | null; userErrors: readonly WorkerProblem<AccessCode>[] }> {
    const [worker] = changed ? [changed] : await this.#options.workers.findMany([id]);
    if (worker) this.#options.registry.set(worker);
    const refusal = changed || worker?.state === 'DRAINING' ? undefined : rejectUnknownOrLost(id, worker);
    return refusal ? { worker: null, userErrors: [refusal] } : { worker: worker ?? null, userErrors: [] };
  }

  async #lostNow(id: string, lease: LeaseTerms | undefined): Promise<WorkerProblem<AccessCode>> {
    const [worker] = await this.#options.workers.findMany([id]);
    if (worker) this.#options.registry.set(worker);
    const known = rejectUnknownOrLost(id, worker);
    if (known) return known;
    const reason = lease?.lostReason ?? 'its lease ended';
    return {
      code: 'WORKER_LOST',
      path: ['workerId'],
      message: `Worker ${JSON.stringify(id)} was lost: ${reason}; register again, with the jobs whose payloads still run.`,
    };
  }
}

/** Checks that the principal may see workers of the queue, or of an unknown queue. */
function isVisible(queue: QueueFacts | undefined, principal: Principal): boolean {
  return queue === undefined ? can(principal, 'worker:read', '*') : maySee(principal, queue);
}

function checkHeartbeat({ jobs, hardware, devices, deviceUse, progress }: HeartbeatSpec): InputErrors {
  const errors = new InputErrors();
  if (hardware) checkHardware(errors, ['hardware'], hardware);
  if (devices) checkDevices(errors, ['devices'], devices);
  if (deviceUse) checkDeviceUse(errors, ['deviceUse'], deviceUse, devices != null);
  if (progress) checkProgress(errors, progress);
  errors.distinct(
    ['jobs'],
    (jobs ?? []).map(({ id }) => id),
    workerLimits.heldJobs,
  );
  return errors;
}

function refused(userErrors: readonly WorkerProblem<AccessCode>[]): HeartbeatResult {
  return { leaseExpiresAt: null, commands: [], userErrors };
}

function notRegistered(userErrors: readonly WorkerProblem<RegisterCode>[]): RegisterResult {
  const unknown = { heartbeatSeconds: null, leaseSeconds: null, maxNoticeSeconds: null, logIntervalMs: null };
  return { worker: null, ...unknown, commands: [], userErrors };
}
