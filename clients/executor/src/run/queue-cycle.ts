/**
 * One cycle of a queue: compares the record with the batch system, reports, decides, and submits. Each pilot
 * is recorded before it is submitted under its name, so that an executor that starts again finds it, and
 * nothing is submitted twice.
 */
import type { Clock } from '@rhizome/clock';
import type { DeepReadonly } from '@rhizome/config';
import type { Logger } from '@rhizome/log';
import { forEachConcurrently } from '@rhizome/retry';
import { decide } from '../loop/decide.js';
import { learn } from '../loop/feedback.js';
import { type Decisions, type LoopMemory, type LoopSettings, noMemory } from '../loop/loop.types.js';
import type { Demand, OpenPilot, PilotRequest, Report } from '../loop/loop.types.js';
import { reconcile } from '../loop/reconcile.js';
import type { BatchJob, Listing, PilotToSubmit, Provider } from '../providers/provider.types.js';
import type { QueueSettings } from '../settings.js';
import type { CoreCalls, RecordedPilot } from './core-calls.js';
import { NotLeading } from './core-calls.js';
import { resourcesOf, shapeInput } from './shape-input.js';

/** Dependencies of {@link QueueCycle}. */
export interface QueueCycleOptions {
  readonly settings: DeepReadonly<QueueSettings>;
  readonly core: Pick<
    CoreCalls,
    'demand' | 'pilots' | 'givenUp' | 'request' | 'report' | 'endWorkers' | 'invite'
  >;
  readonly provider: Provider;
  /** Time after its last call in which no other executor starts pilots of the queue. */
  readonly leaseSeconds: number;
  /** Beginning of the keys of requests, which no other process uses. */
  readonly keys: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A pilot as the last cycle saw it. */
interface Seen {
  readonly state: string;
  readonly sinceMs: number;
  readonly hasWorker: boolean;
}

/** The shortest lease that core grants, in seconds. */
export const shortestLease = 5;
const invitedAtOnce = 8;

/** Runs the cycles of a queue, one after another. */
export class QueueCycle {
  readonly #options: QueueCycleOptions;
  #memory: LoopMemory = noMemory;
  #cycle = 0;
  /** States of the pilots, and the times since which they have been in them. */
  #seen = new Map<string, Seen>();
  /** Pilots that were cancelled because they were too many: their ends say nothing. */
  #cancelled = new Set<string>();
  #refusedSubmits = 0;
  #reasons = '';

  constructor(options: QueueCycleOptions) {
    this.#options = options;
  }

  /** Runs one cycle. @throws Error if core could not be asked; then nothing was submitted */
  async run(signal: AbortSignal): Promise<void> {
    const { core, provider, settings, clock, log } = this.#options;
    this.#cycle += 1;
    try {
      await core.report([], signal, this.#options.leaseSeconds);
    } catch (error) {
      if (!(error instanceof NotLeading)) throw error;
      log.info({ queue: settings.queue, reason: error.message }, 'another executor starts the pilots');
      return;
    }
    // The list comes before the record: each batch job in it then has a pilot.
    const listing = await provider.list();
    if (!listing.isComplete)
      log.warn({ queue: settings.queue, reason: listing.reason }, 'batch jobs not listed');
    const { pilots, arrived } = this.#timed(await core.pilots(signal));
    const after = await this.#reconcile(pilots, listing, arrived, signal);
    const demand = await this.#demand(signal);
    const startUntilMs = clock.monotonicMs() + this.#options.leaseSeconds * 500;
    const facts = { nowMs: clock.monotonicMs(), demand, isListed: listing.isComplete, pilots: after };
    const { decisions, memory } = decide(facts, this.#loopSettings(), this.#memory);
    this.#memory = memory;
    this.#logReasons(decisions);
    await this.#cancel(decisions.cancels);
    for (const [index, request] of decisions.requests.entries()) {
      // The demand has aged, and the right to request may end: the next cycle asks again.
      if (index > 0 && clock.monotonicMs() > startUntilMs) break;
      await this.#start(request, `${this.#options.keys}:${this.#cycle}:${index}`, signal);
    }
  }

  /** Gives up the right to start the pilots of the queue, so that another executor may soon take it. */
  async release(signal: AbortSignal): Promise<void> {
    await this.#options.core.report([], signal, shortestLease);
  }

  /** Pilots with the times of their states, by the clock of this process. */
  #timed(pilots: readonly RecordedPilot[]): {
    readonly pilots: readonly OpenPilot[];
    readonly arrived: number;
  } {
    const now = this.#options.clock.monotonicMs();
    const wallOffset = now - this.#options.clock.now().getTime();
    const seen = new Map<string, Seen>();
    let arrived = 0;
    const timed = pilots.map((pilot): OpenPilot => {
      const before = this.#seen.get(pilot.id);
      const sinceMs = before?.state === pilot.state ? before.sinceMs : now;
      const hasWorker = pilot.worker !== undefined;
      if (before && hasWorker && !before.hasWorker) arrived += 1;
      seen.set(pilot.id, { state: pilot.state, sinceMs, hasWorker });
      const worker = pilot.worker && {
        ...pilot.worker,
        registeredAtMs: pilot.worker.registeredAtMs + wallOffset,
        lastSeenAtMs: pilot.worker.lastSeenAtMs + wallOffset,
      };
      const requestedAtMs = pilot.requestedAtMs + wallOffset;
      return { ...pilot, worker, changedAtMs: sinceMs, requestedAtMs };
    });
    this.#seen = seen;
    this.#cancelled = new Set([...this.#cancelled].filter((id) => seen.has(id)));
    return { pilots: timed, arrived };
  }

  async #reconcile(
    pilots: readonly OpenPilot[],
    listing: Listing,
    arrived: number,
    signal: AbortSignal,
  ): Promise<readonly OpenPilot[]> {
    const { core, provider, settings, clock, log } = this.#options;
    const { times } = this.#loopSettings();
    const found = reconcile(pilots, listing, times, clock.monotonicMs());
    await provider.cancel(idsOf(found.cancels), 'WAITING');
    await this.#cancelGivenUp(found.unrecorded, signal);
    if (found.reports.length > 0) await core.report(found.reports, signal, this.#options.leaseSeconds);
    const ended = found.ended.filter(({ isListed }) => isListed).map(({ id }) => id);
    await core.endWorkers(ended, signal);
    for (const { id, end } of found.ended)
      if (end !== 'WORKED') log.info({ queue: settings.queue, pilot: id, end }, 'pilot ended without work');
    const ends = found.ended.filter(({ id }) => !this.#cancelled.has(id)).map(({ end }) => end);
    this.#memory = learn(this.#memory, { ends, arrived, refusedSubmits: this.#refusedSubmits });
    this.#refusedSubmits = 0;
    return found.pilots;
  }

  /**
   * Cancels batch jobs of pilots that core has given up, such as one that was submitted late. Those that core
   * does not know may belong to another system, or to a record that was lost.
   */
  async #cancelGivenUp(jobs: readonly BatchJob[], signal: AbortSignal): Promise<void> {
    const { core, provider, settings, log } = this.#options;
    if (jobs.length === 0) return;
    const isGivenUp = await core.givenUp(jobs, signal);
    const [cancelled, left] = [jobs.filter(isGivenUp), jobs.filter((job) => !isGivenUp(job))];
    await provider.cancel(idsOf(cancelled), 'ANY');
    if (left.length > 0)
      log.warn(
        { queue: settings.queue, batchJobs: idsOf(left).slice(0, 10) },
        'batch jobs not in the record',
      );
  }

  async #demand(signal: AbortSignal): Promise<readonly Demand[] | undefined> {
    const { core, settings, log } = this.#options;
    const { drainSeconds } = settings.pilot;
    try {
      return await core.demand(
        settings.shapes.map((shape) => shapeInput(shape, drainSeconds)),
        signal,
      );
    } catch (error) {
      log.warn({ queue: settings.queue, reason: (error as Error).message }, 'demand not known');
      return undefined;
    }
  }

  async #cancel(pilots: readonly OpenPilot[]): Promise<void> {
    const { provider, settings, log } = this.#options;
    if (pilots.length === 0) return;
    log.info({ queue: settings.queue, pilots: pilots.length }, 'waiting pilots cancelled');
    for (const { id } of pilots) this.#cancelled.add(id);
    const ids = pilots.flatMap(({ batchJobId }) => (batchJobId === undefined ? [] : [batchJobId]));
    await provider.cancel(ids, 'WAITING');
  }

  /** Requests pilots and submits them. */
  async #start(request: PilotRequest, key: string, signal: AbortSignal): Promise<void> {
    const { core, provider, settings, leaseSeconds, log } = this.#options;
    const shape = settings.shapes.find(({ name }) => name === request.shape);
    if (!shape) return;
    const pilots = await core.request(request, settings.limits.open, key, signal);
    const [first] = pilots;
    if (!first) return;
    const codes = await this.#invited(pilots, signal);
    const outcome = await provider.submit({
      batch: first.batch,
      pilots: codes,
      resources: resourcesOf(shape),
    });
    const facts = { queue: settings.queue, batch: first.batch, pilots: pilots.length, shape: shape.name };
    if (outcome.kind === 'UNKNOWN')
      log.warn({ ...facts, reason: outcome.reason }, 'outcome of a submission unknown');
    else if (outcome.kind === 'REFUSED') {
      this.#refusedSubmits += 1;
      log.warn({ ...facts, reason: outcome.reason }, 'pilots refused');
      await core.report(
        pilots.map(({ id }): Report => ({ id, state: 'REFUSED', reason: outcome.reason })),
        signal,
        leaseSeconds,
      );
    } else {
      log.info(facts, 'pilots submitted');
      await core.report(
        pilots.map(({ id }): Report => ({ id, state: 'SUBMITTED', batchJobId: outcome.batchJobIds.get(id) })),
        signal,
        leaseSeconds,
      );
    }
  }

  async #invited(pilots: readonly RecordedPilot[], signal: AbortSignal): Promise<readonly PilotToSubmit[]> {
    const { core, settings } = this.#options;
    const invited: PilotToSubmit[] = [];
    await forEachConcurrently(pilots, invitedAtOnce, async ({ id, number }) => {
      const code = await core.invite(settings.experiments, settings.pilot.codeSeconds, signal);
      invited.push({ id, number, code });
    });
    return invited.sort((a, b) => a.number - b.number);
  }

  #loopSettings(): LoopSettings {
    const { limits, pilot, isDraining, submitSeconds, unknownSeconds, heldSeconds } = this.#options.settings;
    return {
      limits,
      isDraining,
      times: {
        idleMs: pilot.idleSeconds * 1000,
        submitMs: submitSeconds * 1000,
        unknownMs: unknownSeconds * 1000,
        heldMs: heldSeconds * 1000,
        codeMs: pilot.codeSeconds * 1000,
      },
    };
  }

  /** Logs reasons when they change. */
  #logReasons({ reasons }: Decisions): void {
    const { settings, log } = this.#options;
    const text = reasons.join('; ');
    if (text !== this.#reasons && reasons.length > 0) log.info({ queue: settings.queue, reasons }, 'decided');
    this.#reasons = text;
  }
}

function idsOf(jobs: readonly BatchJob[]): readonly string[] {
  return jobs.map(({ batchJobId }) => batchJobId);
}
