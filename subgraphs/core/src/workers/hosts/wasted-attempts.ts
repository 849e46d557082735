/**
 * Gives attempts back that were wasted on excluded hosts, and retries jobs that such hosts made FAILED. The
 * document of a host lists what is left to do, so that another process continues where one ended.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { HostDocument, HostRetry } from './host.document.js';
import type { HostsRepository } from './hosts.repository.js';
import type { WastedAttemptsRepository } from './wasted-attempts.repository.js';

/** Dependencies of {@link WastedAttempts}. */
export interface WastedAttemptsOptions {
  readonly hosts: Pick<HostsRepository, 'directory' | 'write'>;
  readonly jobs: Pick<WastedAttemptsRepository, 'giveBack' | 'toRetry'>;
  /** Retries jobs. A repetition with the same id makes no second copies. */
  readonly retry: (retry: HostRetry) => Promise<void>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** Most steps for one host in a row: a step is repeated if another process changes the host. */
const maxSteps = 20;

/** Work of the leader on excluded hosts. */
export class WastedAttempts {
  readonly #options: WastedAttemptsOptions;

  constructor(options: WastedAttemptsOptions) {
    this.#options = options;
  }

  /** Reads all hosts, and does what is left to do. */
  async resume(): Promise<void> {
    const { directory } = this.#options.hosts;
    await directory.load();
    await this.settle();
  }

  /** Does what is left to do for the hosts in memory. Errors are logged; the next call tries again. */
  async settle(): Promise<void> {
    const { hosts, log } = this.#options;
    for (const { _id } of [...hosts.directory.values()].filter(isOpen))
      await this.#settle(_id).catch((err: unknown) =>
        log.warn({ err, host: _id }, 'wasted attempts could not be given back'),
      );
  }

  async #settle(id: string): Promise<void> {
    const { hosts } = this.#options;
    for (let step = 0; step < maxSteps; step++) {
      const host = hosts.directory.peek(id);
      if (!host || !isOpen(host)) return;
      const next = host.retry ? await this.#retried(host, host.retry) : await this.#givenBack(host);
      await hosts.write([{ before: host, next }]);
    }
  }

  async #retried(host: HostDocument, retry: HostRetry): Promise<HostDocument> {
    await this.#options.retry(retry);
    const { retry: _retry, ...rest } = host;
    return this.#changed(rest);
  }

  async #givenBack(host: HostDocument): Promise<HostDocument> {
    const { jobs, clock, log } = this.#options;
    const { wasted = [], ...rest } = host;
    await jobs.giveBack(wasted);
    const failed = await jobs.toRetry(wasted);
    log.info(
      { queue: host.queue, host: host.host, attempts: wasted.length, retries: failed.length },
      'wasted attempts given back',
    );
    if (failed.length === 0) return this.#changed(rest);
    const retry = { id: `${host._id}:${host.revision}`, at: clock.now(), jobs: failed };
    return this.#changed({ ...rest, retry });
  }

  #changed(host: HostDocument): HostDocument {
    return { ...host, revision: host.revision + 1, updatedAt: this.#options.clock.now() };
  }
}

function isOpen({ wasted, retry }: HostDocument): boolean {
  return retry !== undefined || (wasted?.length ?? 0) > 0;
}
