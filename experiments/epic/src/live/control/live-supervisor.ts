/** Does the work of runs that have not ended: those that this process has a claim to. */
import type { ApiClient } from '@rhizome/client';
import type { Clock, Ids } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { Backoff, sleep } from '@rhizome/retry';
import type { LiveRunDocument } from '../model/live-run.document.js';
import type { LiveRunsRepository } from '../store/live-runs.repository.js';
import type { ResultsRepository } from '../store/results.repository.js';
import { CoreCalls } from './core-calls.js';
import type { Breakers } from './run-observer.js';
import { RunWork } from './run-work.js';

/** Dependencies of {@link LiveSupervisor}. */
export interface LiveSupervisorOptions {
  readonly runs: LiveRunsRepository;
  readonly results: ResultsRepository;
  readonly core: ApiClient;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** Time between looks at the runs, in milliseconds: another process may have received an announcement. */
const lookEveryMs = 250;
/** The same while there is no run. */
const lookForRunsEveryMs = 1000;
const claimEveryMs = 1500;
/** Pauses after failures of the work for a run, in milliseconds. */
const pauses = { initialDelayMs: 250, maxDelayMs: 5000 } as const;

/** One kind of work for a run: a failure delays the next attempt. */
interface Attempts {
  readonly backoff: Backoff;
  retryAt: number;
  running: Promise<void> | undefined;
}

/** State of the work for a run. */
interface Held {
  readonly work: RunWork;
  claimedAt: number;
  /** Pauses and resumptions, which wait for nothing else. */
  readonly steering: Attempts;
  readonly stepping: Attempts;
}

const noAttempts = (): Attempts => ({
  backoff: new Backoff(pauses),
  retryAt: 0,
  running: undefined,
});

export class LiveSupervisor {
  readonly #options: LiveSupervisorOptions;
  readonly #holder: string;
  readonly #core: CoreCalls;
  readonly #stopping = new AbortController();
  readonly #held = new Map<string, Held>();
  /** Monotonic times at which claims were tried that others had, by run. */
  readonly #triedAt = new Map<string, number>();
  /** Ends of work whose claim was lost. */
  readonly #leaving = new Set<Promise<void>>();
  #running: Promise<void> | undefined;
  #waiting = new AbortController();

  constructor(options: LiveSupervisorOptions) {
    this.#options = options;
    this.#holder = options.ids.next('epicProcess');
    this.#core = new CoreCalls(options.core, this.#stopping.signal);
  }

  /** Starts; core may be unreachable. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Looks at the runs at once, also at those whose work has failed. */
  wake(): void {
    for (const { steering, stepping } of this.#held.values()) steering.retryAt = stepping.retryAt = 0;
    this.#again();
  }

  #again(): void {
    this.#waiting.abort();
  }

  /** Ends after the current steps, and gives up the claims. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#again();
    await this.#running;
    for (const [runId, held] of this.#held) this.#leave(runId, held, true);
    await Promise.all(this.#leaving);
  }

  async #run(): Promise<void> {
    const { runs, log } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#waiting = new AbortController();
      let pauseMs = lookEveryMs;
      try {
        const active = await runs.active();
        if (active.length === 0) pauseMs = lookForRunsEveryMs;
        this.#leaveOthers(active);
        const breakers = this.#breakersOnce();
        await Promise.all(active.map((run) => this.#take(run, breakers)));
      } catch (error) {
        log.warn({ err: error }, 'live runs could not be read; they are read again');
      }
      await sleep(pauseMs, this.#waiting.signal);
    }
  }

  /** Breakers, which all runs share: read at most once for a look. */
  #breakersOnce(): Breakers {
    let read: ReturnType<Breakers> | undefined;
    return () => (read ??= this.#options.results.breakers());
  }

  #leaveOthers(active: readonly LiveRunDocument[]): void {
    const ids = new Set(active.map(({ _id }) => _id));
    for (const [runId, held] of this.#held) if (!ids.has(runId)) this.#leave(runId, held, true);
    for (const runId of this.#triedAt.keys()) if (!ids.has(runId)) this.#triedAt.delete(runId);
  }

  /**
   * Ends the work for a run, whose last step may take long, while the work for others goes on.
   * @param isClaimed gives the claim up, too
   */
  #leave(runId: string, held: Held, isClaimed: boolean): void {
    this.#held.delete(runId);
    const leaving = this.#end(runId, held, isClaimed)
      .catch((error: unknown) =>
        this.#options.log.warn({ err: error, runId }, 'work for a live run ended badly'),
      )
      .finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  async #end(runId: string, held: Held, isClaimed: boolean): Promise<void> {
    await held.work.stop();
    await Promise.all([held.stepping.running, held.steering.running]);
    if (isClaimed) await this.#options.runs.release(runId, this.#holder);
  }

  /** Works for a run unless another process does, or a step of this one is under way. */
  async #take(run: LiveRunDocument, breakers: Breakers): Promise<void> {
    const held = await this.#claimed(run._id);
    if (!held) return;
    this.#attempt(held.steering, run, () => held.work.steer(run));
    this.#attempt(held.stepping, run, async () => {
      if (await held.work.step(run, breakers)) this.#again();
    });
  }

  /** The work for a run that this process has a claim to; claims are taken and prolonged now and then. */
  async #claimed(runId: string): Promise<Held | undefined> {
    const { runs, clock } = this.#options;
    const known = this.#held.get(runId);
    const now = clock.monotonicMs();
    if (now - (known?.claimedAt ?? this.#triedAt.get(runId) ?? -Infinity) < claimEveryMs) return known;
    if (!(await runs.claim(runId, this.#holder))) {
      this.#triedAt.set(runId, now);
      if (known) this.#leave(runId, known, false);
      return undefined;
    }
    const held = known ?? this.#newWork(runId);
    held.claimedAt = now;
    return held;
  }

  #newWork(runId: string): Held {
    const { runs, results, core: client, clock, log } = this.#options;
    const work = new RunWork({ runs, results, core: this.#core, client, clock, log }, runId);
    const held: Held = { work, claimedAt: 0, steering: noAttempts(), stepping: noAttempts() };
    this.#held.set(runId, held);
    return held;
  }

  /** Begins work unless it is under way, or failed a moment ago. */
  #attempt(attempts: Attempts, run: LiveRunDocument, work: () => Promise<void>): void {
    if (attempts.running || this.#options.clock.monotonicMs() < attempts.retryAt) return;
    attempts.running = this.#try(attempts, run, work).finally(() => (attempts.running = undefined));
  }

  async #try(attempts: Attempts, run: LiveRunDocument, work: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#options;
    try {
      await work();
      attempts.backoff.reset();
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      attempts.retryAt = clock.monotonicMs() + attempts.backoff.next();
      log.warn({ err: error, runNumber: run.runNumber }, 'work for a live run failed; it is repeated');
    }
  }
}
