/** Encrypts the data keys of secrets again after the master key was replaced. Runs on the leader. */
import type { Logger } from '@rhizome/log';
import { LeaderTask, type LeaderWork, repeat } from '../shared/leader-task.js';
import { rewrap } from './envelope.js';
import type { MasterKeys } from './master-keys.types.js';
import type { SecretDocument } from './secret.document.js';
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
    const onError = (err: unknown): void => log.warn({ err }, 'secrets not rewrapped');
    const work = (signal: AbortSignal): Promise<void> =>
      repeat(() => this.#round(signal), everyMs, signal, onError);
    this.#task = new LeaderTask(options.leader, work, log);
  }

  start(): void {
    this.#task.start();
  }

  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { repository, keys, log, batchSize = 100 } = this.#options;
    const keyId = await keys.currentId();
    let count = 0;
    const failures: unknown[] = [];
    for (let after = ''; !signal.aborted;) {
      const secrets = await repository.underOtherKeys(keyId, batchSize, after);
      const last = secrets.at(-1);
      if (!last) break;
      after = last._id;
      for (const secret of secrets) {
        const error = await this.#rewrap(secret);
        if (error === undefined) count += 1;
        else failures.push(error);
      }
    }
    if (count > 0) log.info({ count, keyId }, 'secrets rewrapped');
    const [err] = failures;
    if (failures.length > 0) log.warn({ err, failed: failures.length, keyId }, 'secrets not rewrapped');
  }

  /** Returns the error of a secret whose data key cannot be unwrapped: the others must not wait for it. */
  async #rewrap(secret: SecretDocument): Promise<unknown> {
    const { repository, keys } = this.#options;
    const envelope = await rewrap(secret.envelope, ownerOf(secret), keys).catch((error: unknown) => {
      return error instanceof Error ? error : new Error(String(error));
    });
    if (envelope instanceof Error) return envelope;
    await repository.replaceKey(secret, envelope);
    return undefined;
  }
}
