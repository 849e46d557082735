/**
 * Limits of owners: ready jobs of an owner over the limit become THROTTLED when a worker would have got them,
 * and ready again when the owner has free capacity. Runs in the leader only.
 */
import type { Logger } from '@rhizome/log';
import type { TransitionRequest, TransitionWriter } from '../../jobs/transitions/transition.types.js';
import type { SchedulerJobsRepository } from '../cache/scheduler-jobs.repository.js';
import type { SchedulerCache } from '../cache/scheduler-cache.js';
import { experimentOf, type ReadyWindows } from '../cache/ready-windows.js';

export interface ThrottleOptions {
  readonly cache: SchedulerCache;
  readonly windows: ReadyWindows;
  readonly jobs: Pick<SchedulerJobsRepository, 'throttled'>;
  readonly classes: {
    load(ids: Iterable<string>): Promise<void>;
    get(id: string): { readonly requirements: { readonly cores: number } } | undefined;
  };
  readonly writer: TransitionWriter;
  readonly log: Logger;
}

/** Number of throttled jobs checked in one step for one share. */
const pageSize = 500;

/** Throttles jobs and releases them again. */
export class Throttle {
  readonly #options: ThrottleOptions;
  /** Shares with throttled jobs, each with the id up to which they were checked. */
  readonly #shares = new Map<string, string>();

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  /** Records that a share may have throttled jobs. */
  watchShare(share: string): void {
    if (!this.#shares.has(share)) this.#shares.set(share, '');
  }

  /** Throttles ready jobs. Errors are logged: the next pass finds the jobs again. */
  async putAside(
    jobs: readonly { readonly jobId: string; readonly share: string; readonly owner: string }[],
  ): Promise<void> {
    const { cache, writer, log } = this.#options;
    const requests = jobs.map(({ jobId, share, owner }): TransitionRequest => {
      this.watchShare(share);
      const reason = `owner ${owner} has reached its limit of ${cache.fleet.share(share).ownerLimitCores ?? 0} cores in share ${share}`;
      return { jobId, from: 'ACTIVATED', to: 'THROTTLED', by: 'broker', actor: 'system:broker', reason };
    });
    await writer
      .apply(requests)
      .catch((err: unknown) => log.warn({ err }, "jobs over their owner's limit could not be throttled"));
  }

  /**
   * Releases jobs whose owners are below their limit; checks a page of each share and continues behind it in
   * the next step.
   */
  async step(): Promise<void> {
    for (const share of [...this.#shares.keys()]) {
      await this.#stepShare(share).catch((err: unknown) =>
        this.#options.log.warn({ err, share }, 'throttled jobs could not be checked'),
      );
    }
  }

  async #stepShare(share: string): Promise<void> {
    const { jobs, classes, writer } = this.#options;
    const after = this.#shares.get(share) ?? '';
    const found = await jobs.throttled(experimentOf(share), share, after, pageSize);
    const last = found[found.length - 1];
    if (last && found.length === pageSize) this.#shares.set(share, last._id);
    else if (found.length === 0 && after === '') this.#shares.delete(share);
    else this.#shares.set(share, '');
    await classes.load(found.map(({ classId }) => classId));
    const freeCores = new Map<string, number>();
    const back = found.filter(({ owner, classId }) => {
      const cores = classes.get(classId)?.requirements.cores ?? Infinity;
      const left = freeCores.get(owner) ?? this.#freeCoresOf(share, owner);
      const fits = cores <= left;
      freeCores.set(owner, fits ? left - cores : left);
      return fits;
    });
    const requests = back.map(({ _id }): TransitionRequest => ({
      jobId: _id,
      from: 'THROTTLED',
      to: 'ACTIVATED',
      by: 'broker',
      actor: 'system:broker',
      reason: 'its owner is below the limit again',
    }));
    await writer.apply(requests);
  }

  /**
   * Cores that the owner may still use, minus those of its ready jobs: the same cores never release two jobs.
   */
  #freeCoresOf(share: string, owner: string): number {
    const { cache, windows, classes } = this.#options;
    const limit = cache.fleet.share(share).ownerLimitCores;
    if (limit === undefined) return Infinity;
    let freeCores = limit - cache.ledger.ownerCores(share, owner);
    for (const window of windows.of(share))
      freeCores -= window.countOf(owner) * (classes.get(window.classId)?.requirements.cores ?? 0);
    return freeCores;
  }
}
