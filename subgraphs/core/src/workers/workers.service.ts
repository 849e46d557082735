/** Registers workers, processes their heartbeats and ends them. */
import type { Principal } from '@rhizome/authz';
import { DomainError, InputErrors } from '@rhizome/errors';
import type { Clock } from '@rhizome/clock';
import type { CommandHub, CommandsMessage } from './commands/command-hub.js';
import { type CommandRules, drainOf } from './commands/command-rules.js';
import type { WorkerCommand } from './commands/worker-command.types.js';
import { type FactReports, reportOf } from './registration/fact-reports.js';
import type { Heartbeats } from './leases/heartbeats.js';
import type { Renewal } from './leases/leases.repository.js';
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
import type { WorkerAccess } from './worker-access.js';
import { rejectUnknownOrLost, type AccessCode, type WorkerProblem } from './worker-errors.js';
import type { WorkerEnds } from './worker-ends.js';
import { checkProgress, type ProgressSpec } from './reports/progress-input.js';
import type { ProgressReports } from './reports/progress-reports.js';
import type { WorkerRegistry } from './worker-registry.js';
import { workerLimits } from './worker.document.js';
import { type HeldJob, type LeaseTerms, type WorkerDocument } from './worker.types.js';
import type { WorkersRepository } from './workers.repository.js';
import { usualLogIntervalMs } from '../queues/log-interval.js';
import { usualLongestNoticeSeconds } from '../shared/notice.js';
import type { QueueLookup } from './worker-directory.service.js';

/** Dependencies of {@link WorkersService}. */
export interface WorkersOptions {
  readonly workers: Pick<WorkersRepository, 'findMany' | 'drain'>;
  readonly registration: Registration;
  readonly heartbeats: Heartbeats;
  readonly facts: FactReports;
  readonly progress: Pick<ProgressReports, 'record'>;
  readonly registry: WorkerRegistry;
  readonly queues: Pick<QueueLookup, 'byNames'>;
  readonly access: WorkerAccess;
  readonly commands: CommandRules;
  readonly returns: WorkerReturns;
  readonly ends: Pick<WorkerEnds, 'end'>;
  readonly hub: Pick<CommandHub, 'listen'>;
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

/** Registers and ends workers, and processes their heartbeats. */
export class WorkersService {
  readonly #options: WorkersOptions;

  constructor(options: WorkersOptions) {
    this.#options = options;
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
