/** Runs the cycles of all queues until it is stopped. */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import { randomUUID } from 'node:crypto';
import type { ApiClient } from '@rhizome/client';
import type { ExecutorConfig } from '../config.js';
import { CoreCalls } from './core-calls.js';
import { providerOf, systemOf } from './providers.js';
import { QueueCycle, shortestLease } from './queue-cycle.js';

/** Dependencies of {@link Executor}. */
export interface ExecutorOptions {
  readonly config: ExecutorConfig;
  readonly client: ApiClient;
  /** Environment of the commands of batch systems. */
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
}

interface CycleOfQueue {
  readonly queue: string;
  readonly cycle: QueueCycle;
}

const releaseMs = 5000;
/** The longest lease that core grants, in seconds. */
const longestLease = 3600;

/** Starts pilots for the queues of a configuration. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #cycles: readonly CycleOfQueue[];

  constructor(options: ExecutorOptions) {
    const { config, client, environment, clock, log } = options;
    this.#options = options;
    const keys = randomUUID();
    const instance = `${config.name} ${keys}`;
    this.#cycles = config.queues.map((settings) => ({
      queue: settings.queue,
      cycle: new QueueCycle({
        settings,
        core: new CoreCalls(client, {
          ...{ queue: settings.queue, executor: config.name, instance },
          system: systemOf(settings.provider.kind),
        }),
        provider: providerOf(config, settings, environment),
        leaseSeconds: Math.min(longestLease, Math.max(shortestLease, Math.ceil(4 * config.cycleSeconds))),
        keys,
        clock,
        log,
      }),
    }));
  }

  /** Runs until it is stopped. Pilots run on. */
  async run(stop: AbortSignal): Promise<void> {
    const { config, log } = this.#options;
    for (const { queue, shapes } of config.queues) {
      const open = shapes.filter(({ isolation }) => isolation.length === 0).map(({ name }) => name);
      const text = 'shapes without isolation: payloads may read what the account of the pilots may read';
      if (open.length > 0) log.warn({ queue, shapes: open }, text);
    }
    await Promise.all(this.#cycles.map((one) => this.#runQueue(one, stop)));
  }

  async #runQueue({ queue, cycle }: CycleOfQueue, stop: AbortSignal): Promise<void> {
    const { config, clock, log } = this.#options;
    const never = new AbortController().signal;
    while (!stop.aborted) {
      const begunAt = clock.monotonicMs();
      try {
        // A cycle that has begun to submit ends, so that core knows what was submitted.
        await cycle.run(never);
      } catch (error) {
        log.warn({ queue, reason: (error as Error).message }, 'cycle failed');
      }
      await sleep(Math.max(0, config.cycleSeconds * 1000 - (clock.monotonicMs() - begunAt)), stop);
    }
    await cycle
      .release(AbortSignal.timeout(releaseMs))
      .catch((error: unknown) => log.warn({ queue, reason: (error as Error).message }, 'queue not released'));
  }
}
