/**
 * Writes grants in groups: the grants of one turn get their fences by one update of the lease document, which
 * proves that this process still leads, and are written by the transition writer. A grant is returned only
 * after its write, and only while this process leads.
 */
import { DomainError } from '@rhizome/errors';
import type { Clock, Ids } from '@rhizome/clock';
import { defaultContinuity } from '../../shared/continuity.js';
import { isCanary } from '../../jobs/model/canary-owner.js';
import { isHeld, type JobState } from '../../jobs/model/job-state.js';
import type { StoredGpuGrant } from '../../jobs/model/job.types.js';
import type {
  GrantChange,
  TransitionOutcome,
  TransitionRequest,
  TransitionWriter,
} from '../../jobs/transitions/transition.types.js';
import type { WorkObserver } from '../../shared/work-observer.js';
import type { Grant } from '../scheduler.types.js';
import { fenceStep } from '../leader/broker-lease.repository.js';
import type { Ledger } from '../cache/ledger.js';
import type { PendingGrant } from '../placement/matcher.types.js';

/** Source of fences: the leadership. */
export interface FenceSource {
  isLeader(): boolean;
  allocateFences(count: number): Promise<number>;
}

export interface GrantWriterOptions {
  readonly fences: FenceSource;
  readonly writer: TransitionWriter;
  readonly ledger: Ledger;
  readonly ids: Ids;
  readonly observer: Pick<WorkObserver, 'grantsWritten'>;
  readonly clock: Clock;
  /** Model of a worker's device; undefined if unknown. */
  readonly modelOf: (workerId: string, deviceId: string) => string | undefined;
  /** Host of a worker, and site of its queue; empty if the worker is unknown. */
  readonly whereIs: (workerId: string) => { readonly host?: string; readonly site?: string };
  /**
   * Called when it is unknown if a group was written, or when it cannot be written: ledger and windows must
   * be read again.
   */
  readonly onUncertain: (error: unknown) => void;
  /** Called with jobs that a worker held already when their grant was to be written. */
  readonly onHeld: (jobIds: readonly string[]) => void;
  /** Called with jobs that have changed since they were chosen, and are still ready. */
  readonly onChanged: (jobIds: readonly string[]) => void;
}

/** Number of grants that are written at once, without waiting for a group that is being written. */
const immediateSize = 64;
/** Maximum time that grants wait for a group that is being written, in milliseconds. */
const longestWaitMs = 100;
/** A whole device, in thousandths. */
const wholeDevice = 1000;

interface Waiting {
  readonly picks: readonly PendingGrant[];
  readonly queue: string;
  readonly sinceMs: number;
  readonly resolve: (grants: readonly Grant[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Writes grants in groups with fences of the current term. */
export class GrantWriter {
  readonly #options: GrantWriterOptions;
  #waiting: Waiting[] = [];
  #waitingPicks = 0;
  #groups = 0;
  #isFlushDue = false;
  /** Limits the time that small groups wait. */
  #flushTimer: NodeJS.Timeout | undefined;
  readonly #writing = new Set<Promise<unknown>>();

  constructor(options: GrantWriterOptions) {
    this.#options = options;
  }

  /**
   * Writes the picks of one worker.
   * @returns the grants that were written; a job that is no longer ready is left out
   * @throws DomainError EPOCH_STALE or LEADER_UNAVAILABLE when this process no longer leads
   */
  write(picks: readonly PendingGrant[], queue: string): Promise<readonly Grant[]> {
    const sinceMs = this.#options.clock.monotonicMs();
    const written = new Promise<readonly Grant[]>((resolve, reject) => {
      this.#waiting.push({ picks, queue, sinceMs, resolve, reject });
      this.#waitingPicks += picks.length;
      this.#flushSoon();
    });
    const settled = written.catch(() => undefined).finally(() => this.#writing.delete(settled));
    this.#writing.add(settled);
    return written;
  }

  /** Resolves when no write is pending. */
  async idle(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing);
  }

  /**
   * A group costs as much as a dozen of its grants: a small one grows while another is being written, but
   * does not wait for one that hangs.
   */
  #flushSoon(): void {
    if (this.#isFlushDue) return;
    if (this.#groups > 0 && this.#waitingPicks < immediateSize) {
      this.#flushTimer ??= setTimeout(() => this.#flushNow(), longestWaitMs);
      return;
    }
    this.#flushNow();
  }

  #flushNow(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    this.#isFlushDue = true;
    setImmediate(() => void this.#flush());
  }

  async #flush(): Promise<void> {
    const group = this.#waiting;
    this.#waiting = [];
    this.#waitingPicks = 0;
    this.#isFlushDue = false;
    this.#groups += 1;
    try {
      const grants = await this.#writeGroup(group);
      for (const [index, waiting] of group.entries()) this.#resolve(waiting, grants[index] ?? []);
    } catch (error) {
      for (const waiting of group) waiting.reject(error);
    } finally {
      this.#groups -= 1;
      if (this.#waiting.length > 0) this.#flushSoon();
    }
  }

  #resolve({ sinceMs, resolve }: Waiting, grants: readonly Grant[]): void {
    const { observer, clock } = this.#options;
    if (grants.length > 0) observer.grantsWritten(grants.length, (clock.monotonicMs() - sinceMs) / 1000);
    resolve(grants);
  }

  async #writeGroup(group: readonly Waiting[]): Promise<Grant[][]> {
    const { fences, writer, ledger } = this.#options;
    const picks = group.flatMap((waiting) => waiting.picks.map((pick) => ({ pick, queue: waiting.queue })));
    const first = await this.#allocate(picks.map(({ pick }) => pick));
    const granted = picks.map(({ pick: { entry, generation = 0 }, queue }, index) => {
      const grant = this.#grantOf(entry, queue, first + index * fenceStep);
      ledger.confirm(entry.jobId, grant.fence);
      const where = { queue, ...this.#options.whereIs(entry.workerId) };
      const request = { ...requestOf(entry, where, grant, this.#gpuOf(entry)), generation };
      return { grant, request };
    });
    const grants = granted.map(({ grant }) => grant);
    const outcomes = await writer.apply(granted.map(({ request }) => request)).catch((error: unknown) => {
      this.#options.onUncertain(error);
      throw error;
    });
    outcomes.forEach((outcome, index) => {
      const grant = grants[index];
      if (grant && !outcome.applied) ledger.release(grant.jobId, grant.fence);
    });
    this.#reportRefused(outcomes);
    // A write that took longer than the lease may belong to a former term: the worker never receives the
    // grant, and the job is requeued.
    if (!fences.isLeader())
      throw new DomainError('LEADER_UNAVAILABLE', 'This process no longer leads the broker');
    return split(
      group,
      grants,
      outcomes.map(({ applied }) => applied),
    );
  }

  #reportRefused(outcomes: readonly TransitionOutcome[]): void {
    const { onHeld, onChanged } = this.#options;
    const refusedIn = (isOf: (state: JobState) => boolean): readonly string[] =>
      outcomes.flatMap((outcome) =>
        !outcome.applied && outcome.current && isOf(outcome.current.state) ? [outcome.jobId] : [],
      );
    const held = refusedIn(isHeld);
    if (held.length > 0) onHeld(held);
    const changed = refusedIn((state) => state === 'ACTIVATED');
    if (changed.length > 0) onChanged(changed);
  }

  async #allocate(picks: readonly PendingGrant[]): Promise<number> {
    try {
      return await this.#options.fences.allocateFences(picks.length);
    } catch (error) {
      for (const { entry } of picks) this.#options.ledger.release(entry.jobId, Infinity);
      // They are still ready, but no longer in the windows: otherwise they would never be offered again.
      this.#options.onUncertain(error);
      throw error;
    }
  }

  /** A share of a device is charged as its part. */
  #gpuOf({ workerId, deviceIds, requirements }: PendingGrant['entry']): StoredGpuGrant | undefined {
    const [first] = deviceIds;
    if (first === undefined) return undefined;
    const model = this.#options.modelOf(workerId, first) ?? 'unknown';
    return { model, count: (deviceIds.length * (requirements.gpu?.share ?? wholeDevice)) / wholeDevice };
  }

  #grantOf(entry: PendingGrant['entry'], queue: string, fence: number): Grant {
    const { jobId, attempt, deviceIds, owner, share, workerId, continuity = defaultContinuity } = entry;
    const attemptId = this.#options.ids.next('attempt');
    const { continueSeconds } = continuity;
    const job = { owner, share, queue, workerId };
    return { jobId, fence, attempt, attemptId, deviceIds, continueSeconds, job };
  }
}

function requestOf(
  { jobId, workerId, queueId, owner, continuity, isTest, preference }: PendingGrant['entry'],
  where: Pick<GrantChange, 'queue' | 'host' | 'site'>,
  { fence, attemptId, deviceIds }: Grant,
  gpu: StoredGpuGrant | undefined,
): TransitionRequest {
  const given = { workerId, queueId, ...where, fence, attemptId, deviceIds };
  const grant: GrantChange = {
    ...given,
    ...(gpu ? { gpu } : {}),
    ...(continuity ? { continuity } : {}),
    ...(isTest && !isCanary({ owner }) ? { uncounted: 'HOST_TEST' } : {}),
    ...(preference ? { preference } : {}),
  };
  return { jobId, from: 'ACTIVATED', to: 'SENT', by: 'broker', actor: 'system:broker', change: { grant } };
}

/** Splits the written grants by call; `grants` and `applied` are in the order of all picks of the group. */
function split(group: readonly Waiting[], grants: readonly Grant[], applied: readonly boolean[]): Grant[][] {
  let at = 0;
  return group.map(({ picks }) => {
    const own = picks.flatMap((_pick, index) => (applied[at + index] ? (grants[at + index] ?? []) : []));
    at += picks.length;
    return own;
  });
}
