import type { Logger } from '@rhizome/log';
import { mostOutputs } from '@rhizome/storage';
import type { AttemptError } from '../payload/attempt-error.js';
import type { Assignment } from '../protocol/core-protocol.js';
import { examineOutputs, findOutputs, type OutputLimits } from './find-outputs.js';
import type { FileStore } from './file-store.types.js';
import type { FoundOutput, OutputFolder } from './output-folder.js';
import type { SignedFiles, StoreOptions } from './signed-files.js';
import { stageOut } from './staging.js';
import type { StoredFile } from './stored-file.types.js';

/** Where outputs are stored. */
export interface OutputStores {
  /** The pilot's own store. */
  readonly store: FileStore;
  /** True if outputs go to a storage of core where it has one, and to the store otherwise. */
  readonly usesStorages: boolean;
  readonly log: Logger;
}

/** Most files that are kept of an attempt that failed; core accepts no more. */
const mostKept = 100;
/** Time for which a storage may refuse a file of an attempt that failed, in milliseconds. */
const deniedMs = 10_000;

/** The outputs of one attempt, once its payload has ended. */
export class AttemptOutputs {
  readonly #assignment: Assignment;
  readonly #folder: OutputFolder;
  readonly #files: SignedFiles;
  readonly #stores: OutputStores;

  constructor(assignment: Assignment, folder: OutputFolder, files: SignedFiles, stores: OutputStores) {
    this.#assignment = assignment;
    this.#folder = folder;
    this.#files = files;
    this.#stores = stores;
  }

  /** Finds all declared outputs. @throws AttemptError DATA */
  async find(signal: AbortSignal): Promise<readonly FoundOutput[]> {
    return findOutputs(this.#assignment.payload.outputs, this.#folder, this.#limits(mostOutputs), signal);
  }

  /** Stores outputs of a payload that succeeded. @throws AttemptError DATA; the signal's reason */
  async store(found: readonly FoundOutput[], signal: AbortSignal): Promise<readonly StoredFile[]> {
    return this.#store(found, { signal });
  }

  /**
   * Stores those outputs of an attempt that failed which its job keeps then. What is missing or cannot be
   * stored in time is left out: the failure itself is reported in any case.
   * @throws the signal's reason
   */
  async keep(limitMs: number, signal: AbortSignal): Promise<readonly StoredFile[]> {
    const entries = this.#assignment.payload.keepOnFailure ?? [];
    if (entries.length === 0) return [];
    const { log } = this.#stores;
    const until = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    const onFailed = ({ message }: AttemptError): void =>
      log.warn({ reason: message }, 'output of a failed attempt not kept');
    const stored: StoredFile[] = [];
    const patience = { passingMs: limitMs, deniedMs };
    // Each is stored as soon as it is read: a large file must not use up the time of the others.
    const storeOne = async (found: FoundOutput): Promise<void> =>
      void stored.push(...(await this.#store([found], { signal: until, patience, onFailed })));
    try {
      const limits = { ...this.#limits(mostKept), cutsOff: true };
      const { refused } = await examineOutputs(entries, this.#folder, limits, until, storeOne);
      if (refused.length > 0)
        log.info({ refused: refused.slice(0, 10) }, 'outputs of a failed attempt not kept');
    } catch (err) {
      log.warn({ err }, 'outputs of a failed attempt not kept');
    }
    signal.throwIfAborted();
    return [...stored].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #store(found: readonly FoundOutput[], options: StoreOptions): Promise<readonly StoredFile[]> {
    const { store, usesStorages } = this.#stores;
    const stored = usesStorages ? await this.#files.store(found, this.#folder, options) : undefined;
    return stored ?? stageOut(found, this.#folder, this.#assignment, store, options);
  }

  #limits(files: number): OutputLimits {
    const { diskMiB } = this.#assignment.requirements;
    return { files, bytes: Math.max(1, diskMiB) * 1024 ** 2 };
  }
}
