/** Calls of core for one queue. */
import { type ApiClient, createClient } from '@rhizome/client';
import type { Logger } from '@rhizome/log';
import type { ExecutorConfig } from '../config.js';
import { readToken } from '../config.js';
import type { Demand, OpenPilot, PilotRequest, PilotState, Report } from '../loop/loop.types.js';
import {
  ExecutorDemandDocument,
  ExecutorInvitePilotDocument,
  ExecutorPilotsDocument,
  type ExecutorPilotFragment,
  ExecutorReportEndedBatchJobsDocument,
  ExecutorReportPilotsDocument,
  ExecutorRequestPilotsDocument,
  type PilotDemandInput,
  type QueueExecutor,
} from '../operations.generated.js';
import { executorVersion } from '../version.js';

/** Core answered that another instance starts the pilots of the queue. */
export class NotLeading extends Error {
  override readonly name = 'NotLeading';
}

/** Core refused a call: another attempt with the same input fails, too. */
export class CallRefused extends Error {
  override readonly name = 'CallRefused';
}

/** The executor that calls, and its queue. */
export interface Caller {
  readonly queue: string;
  readonly executor: string;
  readonly instance: string;
  /** System by which it starts pilots: core's record of the queue must name the same. */
  readonly system: QueueExecutor;
}

/** A pilot in core's record. */
export type RecordedPilot = Omit<OpenPilot, 'changedAtMs'>;

const perReport = 1000;
const mostPages = 1000;
const clientName = { name: 'rhizome-executor', version: executorVersion };
const idempotent = { idempotent: true } as const;

/** A cycle that fails is followed by another one, so a call is repeated only a little. */
const retry = { attempts: 2, initialDelayMs: 200, maxDelayMs: 2000 };

/** A client of the gateway. */
export function connect(
  { url, tokenFile }: Pick<ExecutorConfig, 'url' | 'tokenFile'>,
  log: Logger,
): ApiClient {
  return createClient({
    ...{ url, retry, client: clientName },
    token: () => readToken(tokenFile),
    onRetry: ({ operationName, error }) =>
      log.debug({ operationName, reason: error.message }, 'call repeated'),
  });
}

/** Calls for one queue. Each throws an error if it has no answer. */
export class CoreCalls {
  readonly #client: ApiClient;
  readonly #caller: Caller;

  constructor(client: ApiClient, caller: Caller) {
    this.#client = client;
    this.#caller = caller;
  }

  /** The demand for pilots. */
  async demand(shapes: PilotDemandInput['shapes'], signal: AbortSignal): Promise<readonly Demand[]> {
    const input = { queue: this.#caller.queue, shapes };
    const { pilotDemand } = await this.#client.query(ExecutorDemandDocument, { input }, { signal });
    throwFirst(pilotDemand.userErrors);
    return (pilotDemand.demand?.classes ?? []).map((one) => ({
      classId: one.classId,
      experiment: one.experimentName,
      waitingJobs: one.waitingJobs,
      missingJobs: one.missingJobs,
      shape: one.shape ?? undefined,
      jobsPerPilot: one.jobsPerPilot ?? 1,
      reason: one.reason ?? undefined,
    }));
  }

  /** All pilots of the queue that have not ended, also those that others requested. */
  async pilots(signal: AbortSignal): Promise<readonly RecordedPilot[]> {
    const found: RecordedPilot[] = [];
    for await (const page of this.#pages(null, signal)) found.push(...page);
    return found;
  }

  /**
   * Finds which batch jobs have pilots that ended, and that have no worker at work. Those are looked for from
   * the newest pilot to the oldest of the batch jobs.
   */
  async givenUp(
    jobs: readonly Pick<OpenPilot, 'batch' | 'number'>[],
    signal: AbortSignal,
  ): Promise<(job: Pick<OpenPilot, 'batch' | 'number'>) => boolean> {
    const oldest = jobs.map(({ batch }) => batch).sort()[0] ?? '';
    const ended = new Set<string>();
    for await (const page of this.#pages(['ENDED', 'REFUSED'], signal)) {
      for (const { batch, number, worker } of page) if (!worker?.isOpen) ended.add(`${batch} ${number}`);
      // Ids begin with the time.
      if (page.some(({ batch }) => batch < oldest)) break;
    }
    return ({ batch, number }) => ended.has(`${batch} ${number}`);
  }

  /** Pilots of the queue, newest first. @param states null for those that have not ended */
  async *#pages(
    states: readonly PilotState[] | null,
    signal: AbortSignal,
  ): AsyncGenerator<readonly RecordedPilot[]> {
    const { queue } = this.#caller;
    let after: string | null = null;
    for (let page = 0; page < mostPages; page += 1) {
      const variables = { queue, after, states: states && [...states] };
      const answer: ExecutorPilots = await this.#client.query(ExecutorPilotsDocument, variables, { signal });
      if (!answer.queue?.pilots) throw new CallRefused(`the pilots of queue ${queue} may not be read`);
      const { executor, pilots } = answer.queue;
      if (executor !== this.#caller.system) throw new CallRefused(otherSystem(this.#caller, executor));
      const { nodes, pageInfo } = pilots;
      yield nodes.map((pilot) => openPilot(pilot));
      if (!pageInfo.hasNextPage) return;
      after = pageInfo.endCursor;
    }
    throw new Error(`queue ${queue} has too many pilots`);
  }

  /**
   * Records pilots that will be submitted.
   * @param key of this request: a repeated call returns the same pilots
   */
  async request(
    { count, ...order }: PilotRequest,
    maxOpenPilots: number,
    key: string,
    signal: AbortSignal,
  ): Promise<readonly RecordedPilot[]> {
    const { system: _system, ...caller } = this.#caller;
    const input = { ...caller, ...order, count, maxOpenPilots, idempotencyKey: key };
    const options = { ...idempotent, signal };
    const { requestPilots } = await this.#client.mutate(ExecutorRequestPilotsDocument, { input }, options);
    throwFirst(requestPilots.userErrors);
    return requestPilots.pilots.map((pilot) => openPilot(pilot));
  }

  /** Reports states, and renews the right to request pilots; without reports it only renews it. */
  async report(reports: readonly Report[], signal: AbortSignal, leaseSeconds?: number): Promise<void> {
    const { queue, instance } = this.#caller;
    const lease = leaseSeconds === undefined ? {} : { leaseSeconds };
    for (let at = 0; at === 0 || at < reports.length; at += perReport) {
      const input = { queue, instance, ...lease, pilots: reports.slice(at, at + perReport).map(reportInput) };
      const options = { ...idempotent, signal };
      const { reportPilots } = await this.#client.mutate(ExecutorReportPilotsDocument, { input }, options);
      throwFirst(reportPilots.userErrors);
    }
  }

  /** Ends the workers of pilots that have ended. */
  async endWorkers(pilotIds: readonly string[], signal: AbortSignal): Promise<void> {
    for (let at = 0; at < pilotIds.length; at += perReport) {
      const batchJobIds = pilotIds.slice(at, at + perReport);
      const input = { queue: this.#caller.queue, batchJobIds, reason: 'its batch job ended' };
      const options = { ...idempotent, signal };
      const answer = await this.#client.mutate(ExecutorReportEndedBatchJobsDocument, { input }, options);
      throwFirst(answer.reportEndedBatchJobs.userErrors);
    }
  }

  /** A code with which one pilot enrols once. */
  async invite(experiments: readonly string[], ttlSeconds: number, signal: AbortSignal): Promise<string> {
    const input = { queue: this.#caller.queue, experiments: [...experiments], uses: 1, ttlSeconds };
    // A code that nobody receives ends unused.
    const options = { ...idempotent, signal };
    const { inviteWorkers } = await this.#client.mutate(ExecutorInvitePilotDocument, { input }, options);
    throwFirst(inviteWorkers.userErrors);
    if (inviteWorkers.code == null) throw new CallRefused('core gave no code');
    return inviteWorkers.code;
  }
}

type ExecutorPilots = {
  readonly queue?: {
    readonly executor: QueueExecutor;
    readonly pilots: {
      readonly nodes: readonly ExecutorPilotFragment[];
      readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
    } | null;
  } | null;
};

function openPilot(pilot: ExecutorPilotFragment): RecordedPilot {
  const { id, batch, number, classId, experimentName, state, batchJobId, worker } = pilot;
  return {
    ...{ id, batch, number, classId, state },
    experiment: experimentName,
    batchJobId: batchJobId ?? undefined,
    requestedAtMs: Date.parse(pilot.requestedAt),
    worker: worker
      ? {
          id: worker.id,
          isOpen: worker.state !== 'ENDED' && worker.state !== 'LOST',
          registeredAtMs: Date.parse(worker.registeredAt),
          lastSeenAtMs: Date.parse(worker.lastSeenAt),
        }
      : undefined,
  };
}

function otherSystem({ queue, system }: Caller, executor: QueueExecutor): string {
  return `queue ${queue} has the executor ${executor}; must be ${system}: change it by rhizome queue update ${queue} --executor ${system}`;
}

function reportInput({ id, state, batchJobId, reason }: Report) {
  return { id, state, batchJobId: batchJobId ?? null, reason: reason ?? null };
}

function throwFirst(errors: readonly { readonly code: string; readonly message: string }[]): void {
  const [error] = errors;
  if (!error) return;
  if (error.code === 'NOT_LEADING') throw new NotLeading(error.message);
  throw new CallRefused(error.message);
}
