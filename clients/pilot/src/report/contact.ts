import { Backoff, sleep } from '@rhizome/retry';
import { EventEmitter, once } from 'node:events';
import { CoreRefused, CoreUnavailable, type CoreProtocol } from '../protocol/core-protocol.js';
import { unavailableBackoff } from '../protocol/until-answered.js';
import { Reporter } from './reporter.js';
import { isWorkerLost } from './void-codes.js';

/** The worker for which calls are made now. */
export interface WorkerLink {
  readonly workerId: string;
  readonly reporter: Reporter;
  /** Aborted when contact is lost: answers that come later do not count. */
  readonly signal: AbortSignal;
}

/** Time for which a heartbeat may take; contact is lost before, unless the lease is longer. */
const defaultLongestConfirmMs = 60_000;

interface OpenLink extends WorkerLink {
  readonly closing: AbortController;
}

/**
 * The pilot's contact with core. While it is lost, calls about jobs wait: they may be made only after core
 * has said which jobs the pilot may keep, and with which fence.
 */
export class Contact {
  readonly #core: CoreProtocol;
  /** `open` has a listener for each call that waits. */
  readonly #events = new EventEmitter().setMaxListeners(0);
  #confirm: (() => Promise<void>) | undefined;
  #link: OpenLink | undefined;
  readonly #longestConfirmMs: number;

  constructor(core: CoreProtocol, longestConfirmMs = defaultLongestConfirmMs) {
    this.#core = core;
    this.#longestConfirmMs = longestConfirmMs;
  }

  get isOpen(): boolean {
    return this.#link !== undefined;
  }

  /**
   * Calls are made for this worker from now on.
   * @param confirm makes a heartbeat, and resolves once its commands are executed
   */
  open(workerId: string, confirm: () => Promise<void>): void {
    this.#confirm = confirm;
    if (this.#link?.workerId === workerId) return;
    this.close('another worker');
    const closing = new AbortController();
    const { signal } = closing;
    this.#link = { workerId, reporter: new Reporter(this.#core, workerId, signal), signal, closing };
    this.#events.emit('open');
  }

  /** Contact was lost: calls that are not answered yet are made again after the return. */
  close(reason: string): void {
    const link = this.#link;
    this.#link = undefined;
    link?.closing.abort(new Error(reason));
  }

  /** Waits until contact is back, at most for a time. */
  async whenOpen(ms: number): Promise<void> {
    if (this.isOpen) return;
    const enough = new AbortController();
    const wake = (): void => enough.abort();
    this.#events.once('open', wake);
    await sleep(ms, enough.signal);
    this.#events.off('open', wake);
  }

  /**
   * Asks core what has become of the jobs, and waits for the answer, at most for a time.
   * @returns true if core has answered, and its commands were executed; false if it must be asked again
   */
  async confirm(): Promise<boolean> {
    if (this.#confirm === undefined) return false;
    let isConfirmed = false;
    const confirmed = this.#confirm().then(() => (isConfirmed = true));
    await this.wait(confirmed, this.#longestConfirmMs);
    return isConfirmed;
  }

  /** Waits for a promise while there is contact, at most for a time. */
  async wait(promise: Promise<unknown>, ms: number): Promise<void> {
    if (this.#link === undefined) return;
    const enough = new AbortController();
    const stop = (): void => enough.abort();
    void promise.then(stop, stop);
    await sleep(ms, AbortSignal.any([this.#link.signal, enough.signal]));
  }

  /**
   * Makes a call while there is contact, and repeats it until it is answered.
   * @throws CoreRefused; the signal's reason
   */
  async call<T>(make: (link: WorkerLink) => Promise<T>, signal: AbortSignal): Promise<T> {
    const backoff = new Backoff(unavailableBackoff);
    for (;;) {
      const link = await this.#opened(signal);
      const until = AbortSignal.any([signal, link.signal]);
      try {
        return await orAborted(make({ ...link, signal: until }), until);
      } catch (error) {
        signal.throwIfAborted();
        if (link.signal.aborted) continue;
        if (error instanceof CoreRefused && isWorkerLost(error)) this.#loseWorker(link, error);
        else if (error instanceof CoreUnavailable) await sleep(backoff.next(), until);
        else throw error;
      }
    }
  }

  #loseWorker({ workerId }: WorkerLink, { message }: CoreRefused): void {
    if (this.#link?.workerId !== workerId) return;
    this.close(message);
    void this.#confirm?.();
  }

  async #opened(signal: AbortSignal): Promise<OpenLink> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#link !== undefined) return this.#link;
      await once(this.#events, 'open', { signal }).catch(() => undefined);
    }
  }
}

/** The result of a call, unless the signal comes first. */
async function orAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort);
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([result, aborted]);
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}
