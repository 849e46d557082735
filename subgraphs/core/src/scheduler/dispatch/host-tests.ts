/** Jobs by which hosts are tested: one at a time for each host, until its outcome is known. */
import { hostKeyOf, type QueueHost } from '../cache/host-standing.types.js';

/** Attempt of a job. */
export interface TestedAttempt {
  readonly jobId: string;
  readonly attempt: number;
}

/** Tests of the current term of leadership. */
export class HostTests {
  #isByCanary: (host: QueueHost) => boolean = () => false;
  readonly #jobs = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  readonly #tests = new Map<string, { readonly attempt: number; readonly key: string }>();

  /** True if the outcome of a test of the host is not known yet. */
  isTested(host: QueueHost): boolean {
    return this.#jobs.has(hostKeyOf(host));
  }

  /** True if a host that was excluded is tested by canary jobs alone. */
  isByCanary(host: QueueHost): boolean {
    return this.#isByCanary(host);
  }

  /** Says which hosts are tested by canary jobs; without it, none. */
  useCanaries(isByCanary: (host: QueueHost) => boolean): void {
    this.#isByCanary = isByCanary;
  }

  /** True if the attempt is a test whose outcome is not known yet. */
  has({ jobId, attempt }: TestedAttempt): boolean {
    return this.#tests.get(jobId)?.attempt === attempt;
  }

  /** True if the job runs as a test whose outcome is not known yet. */
  isTest(jobId: string): boolean {
    return this.#tests.has(jobId);
  }

  begin(host: QueueHost, { jobId, attempt }: TestedAttempt): void {
    const key = hostKeyOf(host);
    this.#jobs.set(key, jobId);
    this.#tests.set(jobId, { attempt, key });
  }

  /** Ends a test, with or without an outcome: the host may get another one. */
  end(jobId: string): void {
    const test = this.#tests.get(jobId);
    if (!test) return;
    this.#tests.delete(jobId);
    if (this.#jobs.get(test.key) === jobId) this.#jobs.delete(test.key);
    for (const listener of this.#listeners) listener();
  }

  /** Calls the listener when a host may get another test. @returns function that removes it */
  onEnded(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Forgets all tests, at the begin of a term. */
  clear(): void {
    this.#jobs.clear();
    this.#tests.clear();
  }
}
