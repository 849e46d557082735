/** Registration of workers: the lease, the document, and the end of an older worker with the same name. */
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Ids } from '@rhizome/clock';
import { creationDigest } from '../../shared/idempotency.js';
import type { ContinuedJobs } from '../adoption/continued-jobs.js';
import { holderOf, isSameHolder } from '../adoption/same-pilot.js';
import type { WorkerCommand } from '../commands/worker-command.types.js';
import type { LeasesRepository } from '../leases/leases.repository.js';
import { type ReportedFacts, reportOf } from './fact-reports.js';
import { deviceUseOf } from './device-input.js';
import type { RegisterInput } from './worker-input.js';
import type { WorkerProblem } from '../worker-errors.js';
import { workerSchemaVersion } from '../worker.document.js';
import type { WorkerDocument } from '../worker.types.js';
import type { NewWorker, WorkersRepository } from '../workers.repository.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';

/** Dependencies of {@link Registration}. */
export interface RegistrationOptions {
  readonly workers: WorkersRepository;
  readonly leases: LeasesRepository;
  readonly continuedJobs: Pick<ContinuedJobs, 'take' | 'end'>;
  readonly ids: Ids;
  readonly log: Logger;
}

/** A registered worker, with ADOPT or DROP for each job that its pilot still runs. */
export interface RegisteredWorker {
  readonly worker: WorkerDocument;
  readonly commands: readonly WorkerCommand[];
}

/** Most attempts while others register the same name. */
const maxTries = 5;

/** Registers workers. */
export class Registration {
  readonly #options: RegistrationOptions;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /**
   * Returns the worker of the call, new or found by its key, or the reason for a refusal. The input has been
   * validated.
   * @throws DomainError CONFLICT if a live worker on another host has the name, or others register the name
   *   at the same time
   */
  async run(
    principal: Principal,
    spec: RegisterInput,
    queue: QueueFacts,
  ): Promise<RegisteredWorker | WorkerProblem<'IDEMPOTENCY_KEY_REUSED'>> {
    const { workers, leases, ids } = this.#options;
    const replaced: WorkerDocument[] = [];
    const withJobs = async (worker: WorkerDocument): Promise<RegisteredWorker> => ({
      worker,
      commands: await this.#continueJobs(principal, worker, spec, replaced),
    });
    const registrationKey = `${queue.id}/${holderOf(principal)}/${spec.idempotencyKey}`;
    // Payloads may end between two repetitions of a call.
    const registrationDigest = creationDigest({ ...spec, jobs: undefined });
    const { facts, digests } = reportOf({ ...spec, devices: spec.devices ?? [] });
    const deviceUse = deviceUseOf(spec.devices ?? []);
    for (let attempt = 0; attempt < maxTries; attempt += 1) {
      const known = await workers.findByKey(registrationKey);
      if (known) return known.registrationDigest === registrationDigest ? withJobs(known) : keyReused(spec);
      await this.#refuseUsedCredential(principal);
      const id = principal.worker ?? ids.next('worker');
      const { keyThumbprint } = principal.worker === undefined ? {} : principal;
      const worker = {
        ...newWorker(id, spec, queue, facts),
        ...(keyThumbprint === undefined ? {} : { keyThumbprint }),
        registrationKey,
        registrationDigest,
      };
      // The lease is written first: a worker without one would look lost.
      await leases.open(id, queue.id, queue.limits.leaseSeconds, { deviceUse, digests });
      const outcome = await workers.insert(worker);
      if ('worker' in outcome) return withJobs(outcome.worker);
      await leases.discard(worker._id);
      // A worker is ended only before another attempt, so there is always one with the name.
      const isLastTry = attempt === maxTries - 1;
      if (outcome.taken === 'name' && !isLastTry)
        replaced.push(...(await this.#releaseName(principal, queue, spec)));
    }
    throw nameConflict(spec, 'is being registered by others at this moment');
  }

  /** The credential of a worker registers this worker once; a pilot that starts again gets another worker. */
  async #refuseUsedCredential({ worker }: Principal): Promise<void> {
    if (worker === undefined) return;
    const [known] = await this.#options.workers.findMany([worker]);
    if (!known) return;
    const text = `Worker ${JSON.stringify(worker)} has registered already; renew the credential for a new worker`;
    throw new DomainError('CONFLICT', text, { field: 'workerId', value: worker });
  }

  async #continueJobs(
    principal: Principal,
    worker: WorkerDocument,
    { jobs }: RegisterInput,
    replaced: readonly WorkerDocument[],
  ): Promise<readonly WorkerCommand[]> {
    const held = (jobs ?? []).map(({ id, fence }) => ({ id, fence }));
    return held.length === 0 ? [] : this.#options.continuedJobs.take(principal, worker, held, replaced);
  }

  /**
   * Takes the name from an older worker: at once if its pilot started again on the same host; from a worker
   * on another host, or of another credential, only after its lease has ended. Payloads of the latter may
   * still run. @returns the older worker of the pilot, which ends after its jobs have been continued
   */
  async #releaseName(
    principal: Principal,
    queue: QueueFacts,
    spec: RegisterInput,
  ): Promise<readonly WorkerDocument[]> {
    const { workers, leases, continuedJobs, log } = this.#options;
    const { name, host } = spec;
    const older = await workers.findLive(queue.id, name);
    if (!older) return [];
    const isSamePilot = older.host === host && isSameHolder(principal, queue.id, older);
    if (!isSamePilot) {
      const [lease] = await leases.findMany([older._id]);
      const reason = `its lease ended, and a worker of its name registered on host ${JSON.stringify(host)}`;
      if (lease && !lease.lostAt)
        throw nameConflict(spec, `is the name of a live worker on host ${JSON.stringify(older.host)}`);
      log.info({ workerId: older._id, queue: queue.name, name, reason }, 'name of a worker released');
    }
    if (isSamePilot && !spec.jobs?.length) {
      await continuedJobs.end(older);
      return [];
    }
    await workers.releaseName(older._id);
    return isSamePilot ? [older] : [];
  }
}

function newWorker(
  id: string,
  spec: RegisterInput,
  queue: QueueFacts,
  facts: Required<ReportedFacts>,
): Omit<NewWorker, 'registrationKey' | 'registrationDigest'> {
  return {
    _id: id,
    schemaVersion: workerSchemaVersion,
    queueId: queue.id,
    queue: queue.name,
    name: spec.name,
    host: spec.host,
    version: spec.version,
    labels: (spec.labels ?? []).map(({ key, value }) => ({ key, value })),
    ...facts,
    reportVersions: { hardware: 1, devices: 1 },
    ...(spec.endsAt ? { endsAt: spec.endsAt } : {}),
    ...(spec.batchJobId ? { batchJobId: spec.batchJobId } : {}),
  };
}

function nameConflict({ name }: RegisterInput, why: string): DomainError {
  const text = `name: ${JSON.stringify(name)} ${why}; must be another name, or wait until that worker ends`;
  return new DomainError('CONFLICT', text, { field: 'name', value: name });
}

function keyReused({ idempotencyKey }: RegisterInput): WorkerProblem<'IDEMPOTENCY_KEY_REUSED'> {
  const shown = JSON.stringify(idempotencyKey);
  const message = `idempotencyKey: ${shown} was used before with other content; must be a new key`;
  return { code: 'IDEMPOTENCY_KEY_REUSED', path: ['idempotencyKey'], message };
}
