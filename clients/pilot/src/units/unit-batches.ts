import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import { type RequestAnswer, type RequestFolder } from '../checkpoints/request-folder.js';
import { CoreRefused } from '../protocol/core-protocol.js';
import type { UnitFailure, UnitReportAnswer } from '../protocol/unit-calls.js';
import { type BatchFiles, ResultRefused } from './batch-files.js';
import { BatchLeases } from './batch-leases.js';
import {
  type AddedNodesFile,
  type BatchCompletion,
  type BatchLease,
  type BatchRequest,
  parseBatchRequest,
} from './batch-request.js';
import type { UnitService } from './unit-service.js';

/** Parts of {@link UnitBatches}. */
export interface UnitBatchesParts {
  readonly requests: RequestFolder;
  readonly files: BatchFiles;
  readonly service: UnitService;
  readonly log: Logger;
}

/** Time between two looks for requests, while the payload works on units, and otherwise. */
const busyPollMs = 50;
const idlePollMs = 500;
/** Time after a request for which the payload counts as working on units. */
const busyForMs = 10_000;
/** Requests other than for batches that are served at once: programs may run side by side. */
const maxReports = 64;
/** Requests for batches that wait for others; the rest stays in the folder. */
const maxQueued = 1000;
/** Time after which a request that is not complete is given up: its program, or the disk, has failed. */
const longestWriteMs = 10_000;
/** Requests that cannot be read and not be removed, as folders are. */
const maxIgnored = 1000;
/** Exit codes of `rhizome-job`. */
const exits = { done: 0, refused: 65, ended: 69, failed: 74 } as const;
const endedCodes = new Set(['FENCE_STALE', 'FORBIDDEN']);
const invalid = 'the request is not valid; names of pools have 1 to 100 characters';

/** Serves the requests of `rhizome-job units`. It keeps no state: another pilot goes on with them. */
export class UnitBatches {
  readonly #parts: UnitBatchesParts;
  readonly #leases: BatchLeases;
  readonly #running = new Map<string, Promise<void>>();
  /** Requests for batches that wait for the end of others, the earliest first. */
  readonly #queued = new Map<string, BatchLease>();
  readonly #withdrawals = new Map<string, AbortController>();
  readonly #ignored = new Set<string>();
  #reports = 0;

  constructor(parts: UnitBatchesParts) {
    this.#parts = parts;
    this.#leases = new BatchLeases(parts);
  }

  /** Serves requests until the signal; never rejects. */
  async serve(signal: AbortSignal): Promise<void> {
    const { requests, log } = this.#parts;
    let busyUntil = 0;
    while (!signal.aborted) {
      try {
        const names = await requests.requests((name) => this.#isKnown(name));
        const read = await this.#read(names.filter((name) => !this.#isKnown(name)));
        if (read.size > 0) busyUntil = performance.now() + busyForMs;
        for (const [name, request] of read) this.#accept(name, request, signal);
        for (const { withdrawn } of read.values()) for (const name of withdrawn) this.#withdraw(name, signal);
        this.#startLeases(signal);
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, 'requests for work units not read');
      }
      const isBusy = this.#running.size + this.#queued.size > 0 || performance.now() < busyUntil;
      await sleep(isBusy ? busyPollMs : idlePollMs, signal);
    }
    await Promise.all(this.#running.values());
  }

  #isKnown(name: string): boolean {
    return this.#running.has(name) || this.#queued.has(name) || this.#ignored.has(name);
  }

  /** Reads requests; removes those that are none. */
  async #read(names: readonly string[]): Promise<ReadonlyMap<string, BatchRequest>> {
    const { requests } = this.#parts;
    const found = new Map<string, BatchRequest>();
    for (const name of names) {
      const file = await requests.read(name);
      // It was served between the listing and now.
      if (file === undefined && !(await requests.has(name))) continue;
      const request = file === undefined ? 'invalid' : parseBatchRequest(file.text);
      if (request === 'invalid') await this.#end(name, { code: exits.refused, message: invalid });
      else if (request !== 'incomplete') found.set(name, request);
      else if (file && Date.now() - file.changedAt.getTime() > longestWriteMs) await this.#end(name);
    }
    return found;
  }

  #accept(name: string, request: BatchRequest, signal: AbortSignal): void {
    if (request.lease !== undefined) {
      if (this.#queued.size < maxQueued) this.#queued.set(name, request.lease);
      void this.#removeSeen(request);
      return;
    }
    if (this.#reports >= maxReports) return;
    this.#reports++;
    this.#start(
      name,
      () => this.#report(request, signal),
      signal,
      () => this.#reports--,
    );
  }

  /** Starts requests for batches in turn; those of the socket count as well. */
  #startLeases(signal: AbortSignal): void {
    const { service } = this.#parts;
    for (const [name, lease] of this.#queued) {
      const leave = service.open.enter('lease');
      if (leave === undefined) return;
      this.#queued.delete(name);
      const withdrawal = new AbortController();
      this.#withdrawals.set(name, withdrawal);
      const serve = () => this.#leases.lease(name, lease, withdrawal.signal, signal);
      this.#start(name, serve, signal, () => {
        this.#withdrawals.delete(name);
        leave();
      });
    }
  }

  /** Answers a request for a batch that is no longer wanted. */
  #withdraw(name: string, signal: AbortSignal): void {
    this.#withdrawals.get(name)?.abort(new Error('the batch is no longer wanted'));
    if (!this.#queued.delete(name)) return;
    this.#start(name, () => Promise.resolve({ code: exits.done, message: 'none' }), signal);
  }

  /** @param serve serves the request; undefined if it has answered it, or nobody waits for an answer */
  #start(
    name: string,
    serve: () => Promise<RequestAnswer | undefined>,
    signal: AbortSignal,
    onOver?: () => void,
  ): void {
    const serving = this.#serve(name, serve, signal).finally(() => {
      this.#running.delete(name);
      onOver?.();
    });
    this.#running.set(name, serving);
  }

  /** Serves a request once, whatever happens, except at the end of this pilot. Never rejects. */
  async #serve(
    name: string,
    serve: () => Promise<RequestAnswer | undefined>,
    signal: AbortSignal,
  ): Promise<void> {
    let answer: RequestAnswer | undefined;
    try {
      answer = await serve();
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof CoreRefused) {
        answer = { code: endedCodes.has(error.code) ? exits.ended : exits.refused, message: error.message };
      } else {
        this.#parts.log.warn({ err: error }, 'request for work units not served');
        const text = error instanceof Error ? error.message : String(error);
        answer = { code: exits.failed, message: `the pilot could not serve the request: ${text}` };
      }
    }
    await this.#end(name, answer);
  }

  /** Answers or removes a request, and ignores it if neither can be done. Never rejects. */
  async #end(name: string, answer?: RequestAnswer): Promise<void> {
    const { requests, log } = this.#parts;
    try {
      if (answer) await requests.answer(name, answer);
    } catch (error) {
      log.warn({ err: error }, 'request for work units not answered');
    }
    await requests.discard(name).catch(() => undefined);
    if ((await requests.has(name)) && this.#ignored.size < maxIgnored) this.#ignored.add(name);
  }

  async #removeSeen({ seen }: BatchRequest): Promise<void> {
    for (const name of seen) await this.#parts.requests.removeAnswer(name).catch(() => undefined);
  }

  /** Reports units. Nobody waits for an answer about extensions. */
  async #report(request: BatchRequest, signal: AbortSignal): Promise<RequestAnswer | undefined> {
    const { service, files } = this.#parts;
    const { completed, failed, extended, nodes } = request;
    await this.#removeSeen(request);
    if (nodes) return this.#addNodes(nodes, signal);
    if (extended.length > 0) await service.extend(extended, signal);
    if (completed.length + failed.length === 0) return undefined;
    const { units, refused } = await this.#withResults(completed);
    const failures = [...refused, ...failed.map(failureOf)];
    const done = await counted(units, () => service.complete(units, signal));
    const ended = await counted(failures, () => service.fail(failures, signal));
    for (const { file } of [...completed, ...failed]) await files.remove(file);
    const returned = new Set(failures.filter(({ kind }) => kind === 'RETURN').map(({ id }) => id));
    const lost = ended.acceptedIds.filter((id) => !returned.has(id));
    const problems = [
      ...refused.map(({ id, message }) => `Unit "${id}": ${message}`),
      ...[...done.errors, ...ended.errors].map(({ message }) => message),
    ];
    return {
      code: exits.done,
      message: `reported ${done.acceptedIds.length} ${lost.length}`,
      lines: problems.map((message) => `problem ${message}`),
    };
  }

  /** Adds the nodes of a file. A repetition, as by another pilot, adds none. */
  async #addNodes({ key, file }: AddedNodesFile, signal: AbortSignal): Promise<RequestAnswer> {
    const { service, files } = this.#parts;
    try {
      const idempotencyKey = key;
      const count = await service.addNodes({ idempotencyKey, nodes: await files.nodes(file) }, signal);
      await files.removeNodes(file);
      return { code: exits.done, message: `${count} nodes are added if the attempt succeeds` };
    } catch (error) {
      if (!(error instanceof ResultRefused)) throw error;
      return { code: exits.refused, message: error.message };
    }
  }

  /** Adds the results; a unit whose result is refused has failed. */
  async #withResults(completed: readonly BatchCompletion[]) {
    const units: { id: string; fence: number; seconds: number | undefined; result: string | undefined }[] =
      [];
    const refused: (UnitFailure & { readonly message: string })[] = [];
    for (const { id, fence, seconds, file } of completed) {
      try {
        units.push({ id, fence, seconds, result: await this.#parts.files.result(file) });
      } catch (error) {
        if (!(error instanceof ResultRefused)) throw error;
        refused.push({ id, fence, kind: 'DEAD', message: error.message });
      }
    }
    return { units, refused };
  }
}

function failureOf({ id, fence, kind, message }: UnitFailure): UnitFailure {
  return { id, fence, kind, message };
}

/** The answer of a report; nothing is reported without units. @throws CoreRefused if the attempt has ended */
async function counted(
  units: readonly unknown[],
  report: () => Promise<UnitReportAnswer>,
): Promise<UnitReportAnswer> {
  if (units.length === 0) return { acceptedIds: [], errors: [] };
  const answer = await report();
  const stale = answer.errors.find(({ code }) => code === 'FENCE_STALE');
  if (stale !== undefined) throw new CoreRefused(stale.code, stale.message);
  return answer;
}
