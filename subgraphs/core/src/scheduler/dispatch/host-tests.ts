/** Jobs by which hosts are tested: one at a time for each host, until its outcome is known. */
import { hostKeyOf, type QueueHost } from '../cache/host-standing.types.js';

/** Attempt of a job. */
export interface TestedAttempt {
  readonly jobId: string;
  readonly attempt: number;
}

interface Test {
  readonly attempt: number;
  /** Key of the host. */
  readonly key: string;
  readonly isCanaryOnly: boolean;
}

/** Canary jobs that test hosts. */
export interface CanaryTests {
  /** Time until which canary jobs alone test a HALF_OPEN host; undefined if other jobs may as well. */
  readonly onlyUntil: (host: QueueHost) => Date | undefined;
  /** Reason for which core could not submit the latest test of a host of a queue; undefined if it could. */
  readonly hostProblem: (queue: string) => string | undefined;
}

/** Tests of the current term of leadership. */
export class HostTests {
  #canaries: CanaryTests = { onlyUntil: () => undefined, hostProblem: () => undefined };
  readonly #jobs = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  readonly #tests = new Map<string, Test>();

  /** True if the outcome of a test of the host is not known yet. */
  isTested(host: QueueHost): boolean {
    return this.#jobs.has(hostKeyOf(host));
  }

  /** Time until which only canary jobs test a HALF_OPEN host; undefined if other jobs may as well. */
  canaryOnlyUntil(host: QueueHost): Date | undefined {
    return this.#canaries.onlyUntil(host);
  }

  /** Reason for which core could not submit the latest test of a host of a queue; undefined if it could. */
  problemOf(queue: string): string | undefined {
    return this.#canaries.hostProblem(queue);
  }

  /** Tests hosts by canary jobs; without it, none is. */
  useCanaries(canaries: CanaryTests): void {
    this.#canaries = canaries;
  }

  /** True if the attempt is a test whose outcome is not known yet. */
  has({ jobId, attempt }: TestedAttempt): boolean {
    return this.#tests.get(jobId)?.attempt === attempt;
  }

  /** True if the job runs as a test whose outcome is not known yet. */
  isTest(jobId: string): boolean {
    return this.#tests.has(jobId);
  }

  /** True if the job runs as the canary test of a HALF_OPEN host. */
  isCanaryTest(jobId: string): boolean {
    return this.#tests.get(jobId)?.isCanaryOnly === true;
  }

  /** @param isCanaryOnly true if only canary jobs may test the host now */
  begin(host: QueueHost, { jobId, attempt }: TestedAttempt, isCanaryOnly = false): void {
    const key = hostKeyOf(host);
    this.#jobs.set(key, jobId);
    this.#tests.set(jobId, { attempt, key, isCanaryOnly });
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
