/** Prometheus metrics of a core process. No label has a value for each job or worker. */
import type { Clock } from '@rhizome/clock';
import { fulfilsWithin } from '@rhizome/retry';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { JobCountRow } from '../events/counts/job-counts.js';
import type { StreamedJobEvent } from '../events/feed/job-event.js';
import type { AppliedTransition, TransitionWriter } from '../jobs/transitions/transition.types.js';
import type { StoreOperation, WorkObserver } from '../shared/work-observer.js';
import type { PoolsService, PoolSummary } from '../units/pools/pools.service.js';
import type { HostBook } from '../workers/hosts/host-book.js';
import type { LeaseClockService, LeaseClockView } from '../workers/lease-clock/lease-clock.service.js';
import type { WorkerRegistry } from '../workers/worker-registry.js';

/** Components that the metrics show. */
export interface CoreMetricsSources {
  readonly events: {
    readonly counts: { readonly jobs: { rows(): readonly JobCountRow[] } };
    onEvents(listener: (events: readonly StreamedJobEvent[]) => void): () => void;
  };
  readonly writer: Pick<TransitionWriter, 'onApplied'>;
  readonly leadership: { isLeader(): boolean };
  readonly registry: Pick<WorkerRegistry, 'countByState'>;
  readonly leaseClock: Pick<LeaseClockService, 'view'>;
  readonly hosts: Pick<HostBook, 'countByState'>;
  readonly units: { readonly pools: Pick<PoolsService, 'summary'> };
}

/** Adds a gauge that is set at each scrape. */
type AddGauge = (
  name: string,
  help: string,
  labelNames: string[],
  set: (gauge: Gauge) => void | Promise<void>,
) => void;

const clockStates = ['RUNNING', 'STOPPED', 'POSTPONED'] as const;
/** Longest time that a scrape waits for the store, in milliseconds. */
const longestWaitMs = 1000;
const shortBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const lagBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];

/** Counters, histograms and gauges of one process. */
export class CoreMetrics implements WorkObserver {
  readonly registry = new Registry();
  readonly #clock: Clock;
  readonly #passes: Histogram;
  readonly #grants: Histogram;
  readonly #granted: Counter;
  readonly #losses: Counter;
  readonly #store: Histogram;
  readonly #transitions: Counter;
  readonly #lag: Histogram;

  constructor(clock: Clock) {
    this.#clock = clock;
    const registers = [this.registry];
    const histogram = (name: string, help: string, buckets: number[], labelNames: string[] = []) =>
      new Histogram({ name: `rhizome_core_${name}`, help, buckets, labelNames, registers });
    const counter = (name: string, help: string, labelNames: string[] = []) =>
      new Counter({ name: `rhizome_core_${name}`, help, labelNames, registers });
    this.#passes = histogram('pass_seconds', 'Duration of passes of the scheduler', shortBuckets);
    this.#grants = histogram(
      'grant_seconds',
      'Time from the decision of grants to their write',
      shortBuckets,
    );
    this.#granted = counter('grants_total', 'Grants written');
    this.#losses = counter('lease_losses_total', 'Ends of leases by outcome for the worker', ['outcome']);
    for (const outcome of ['unreachable', 'lost']) this.#losses.inc({ outcome }, 0);
    this.#store = histogram(
      'store_seconds',
      'Duration of calls of the store by the transition writer',
      shortBuckets,
      ['operation', 'outcome'],
    );
    this.#transitions = counter('transitions_total', 'Transitions written by this process', ['from', 'to']);
    this.#lag = histogram(
      'stream_lag_seconds',
      'Age of the oldest event of each batch of the event stream',
      lagBuckets,
    );
  }

  passEnded(seconds: number): void {
    this.#passes.observe(seconds);
  }

  grantsWritten(grants: number, seconds: number): void {
    this.#grants.observe(seconds);
    this.#granted.inc(grants);
  }

  leaseLost(outcome: 'unreachable' | 'lost'): void {
    this.#losses.inc({ outcome });
  }

  storeAnswered(operation: StoreOperation, outcome: 'answered' | 'failed', seconds: number): void {
    this.#store.observe({ operation, outcome }, seconds);
  }

  /** Counts transitions; those of a group have the same edge. */
  #transitionsApplied(applied: readonly AppliedTransition[]): void {
    const [first] = applied;
    if (first) this.#transitions.inc({ from: first.last.from ?? '', to: first.last.to }, applied.length);
  }

  /** Records how late a batch of events is. */
  #eventsReceived(events: readonly StreamedJobEvent[]): void {
    const [oldest] = events;
    // The clocks of two processes differ.
    if (oldest) this.#lag.observe(Math.max(0, this.#clock.now().getTime() - oldest.last.at.getTime()) / 1000);
  }

  /** Begins to follow the components, and sets the gauges at each scrape; called once. */
  watch({ events, writer, leadership, registry, leaseClock, hosts, units }: CoreMetricsSources): void {
    writer.onApplied((applied) => this.#transitionsApplied(applied));
    events.onEvents((received) => this.#eventsReceived(received));
    const gauge: AddGauge = (name, help, labelNames, set) => {
      const made: Gauge = new Gauge({
        name: `rhizome_core_${name}`,
        help,
        labelNames,
        registers: [this.registry],
        collect: () => {
          made.reset();
          return set(made);
        },
      });
    };
    gauge('jobs', 'Jobs by experiment and state; terminal ones included', ['experiment', 'state'], (made) => {
      for (const { experiment, state, count } of events.counts.jobs.rows())
        made.inc({ experiment, state }, count);
    });
    gauge('leader', '1 if this process leads the broker', [], (made) =>
      made.set(leadership.isLeader() ? 1 : 0),
    );
    gauge('workers', 'Workers that can have jobs, by state', ['state'], (made) => {
      for (const [state, count] of registry.countByState()) made.set({ state }, count);
    });
    gauge('hosts', 'Hosts that are not healthy, by state', ['state'], (made) => {
      for (const [state, count] of hosts.countByState(this.#clock.now().getTime()))
        made.set({ state }, count);
    });
    this.#watchUnits(gauge, () => units.pools.summary());
    this.#watchLeaseClock(gauge, () => leaseClock.view());
  }

  #watchUnits(gauge: AddGauge, read: () => Promise<readonly PoolSummary[]>): void {
    const summary = sharedRead(read);
    const help = 'Work units by experiment and state';
    gauge('work_units', help, ['experiment', 'state'], async (made) => {
      for (const { experiment, waiting, leased, dead } of (await summary()) ?? []) {
        made.set({ experiment, state: 'WAITING' }, waiting);
        made.set({ experiment, state: 'LEASED' }, leased);
        made.set({ experiment, state: 'DEAD' }, dead);
      }
    });
    const lag = 'Age of the oldest work unit that waits';
    gauge('work_unit_lag_seconds', lag, ['experiment'], async (made) => {
      for (const { experiment, lagSeconds } of (await summary()) ?? []) made.set({ experiment }, lagSeconds);
    });
  }

  #watchLeaseClock(gauge: AddGauge, read: () => Promise<LeaseClockView>): void {
    const view = sharedRead(read);
    const help = '1 for the state of the clock by which leases end';
    gauge('lease_clock_state', help, ['state'], async (made) => {
      const current = await view();
      if (current) for (const state of clockStates) made.set({ state }, state === current.state ? 1 : 0);
    });
    const silent = 'Workers whose leases have ended and that are not lost, by the lease clock';
    gauge('lease_clock_silent_workers', silent, [], async (made) => {
      const current = await view();
      if (current) made.set(current.silentWorkers);
    });
  }
}

/** Gauges of a scrape share one call. A store that does not answer leaves them without values. */
function sharedRead<T>(read: () => Promise<T>): () => Promise<T | undefined> {
  let reading: Promise<T | undefined> | undefined;
  return () => (reading ??= withinLimit(read()).finally(() => (reading = undefined)));
}

async function withinLimit<T>(answer: Promise<T>): Promise<T | undefined> {
  const isThere = await fulfilsWithin(answer, longestWaitMs).catch(() => false);
  return isThere ? answer : undefined;
}
