/** Encrypts the data keys of secrets again after the master key was replaced. Runs on the leader. */
import type { Logger } from '@rhizome/log';
import { LeaderTask, type LeaderWork, repeat } from '../shared/leader-task.js';
import { rewrap } from './envelope.js';
import type { MasterKeys } from './master-keys.types.js';
import { ownerOf } from './secret-owner.js';
import type { SecretsRepository } from './secrets.repository.js';

/** Dependencies of {@link RewrapWork}. */
export interface RewrapOptions {
  readonly repository: SecretsRepository;
  readonly keys: MasterKeys;
  readonly leader: LeaderWork;
  readonly log: Logger;
  /** Interval in milliseconds; defaults to 30,000. */
  readonly everyMs?: number | undefined;
  /** Secrets per batch; defaults to 100. */
  readonly batchSize?: number | undefined;
}

/** Work that a later leader continues where this one ended: what is left is read from the store. */
export class RewrapWork {
  readonly #options: RewrapOptions;
  readonly #task: LeaderTask;

  constructor(options: RewrapOptions) {
    this.#options = options;
    const { everyMs = 30_000, log } = options;
    this.#task = new LeaderTask(options.leader, (signal) =>
      repeat(
        () => this.#round(signal),
        everyMs,
        signal,
        (err) => log.warn({ err }, 'secrets not rewrapped'),
      ),
    );
  }

  start(): void {
    this.#task.start();
  }

  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { keys, log } = this.#options;
    const keyId = await keys.currentId();
    let count = 0;
    for (let done = await this.#batch(keyId); done > 0 && !signal.aborted; done = await this.#batch(keyId))
      count += done;
    if (count > 0) log.info({ count, keyId }, 'secrets rewrapped');
  }

  async #batch(keyId: string): Promise<number> {
    const { repository, keys, batchSize = 100 } = this.#options;
    const secrets = await repository.underOtherKeys(keyId, batchSize);
    for (const secret of secrets)
      await repository.replaceKey(secret, await rewrap(secret.envelope, ownerOf(secret), keys));
    return secrets.length;
  }
}
