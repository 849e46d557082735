import { type Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import { type RequestAnswer, type RequestFolder } from '../checkpoints/request-folder.js';
import { CoreRefused } from '../protocol/core-protocol.js';
import type { LeasedWorkUnit, UnitCalls, UnitReportAnswer } from '../protocol/unit-calls.js';
import { untilAnswered } from '../protocol/until-answered.js';
import { type BatchFiles, ResultRefused } from './batch-files.js';
import {
  type BatchCompletion,
  type BatchLease,
  type BatchRequest,
  parseBatchRequest,
} from './batch-request.js';

/** Parts of {@link UnitBatches}. */
export interface UnitBatchesParts {
  readonly requests: RequestFolder;
  readonly files: BatchFiles;
  readonly calls: UnitCalls;
  readonly log: Logger;
}

/** Time between two looks for requests, while the payload works on units, and otherwise. */
const busyPollMs = 50;
const idlePollMs = 500;
/** Time after a request for which the payload counts as working on units. */
const busyForMs = 10_000;
/** Requests that are served at once: programs may run side by side, and each may also extend leases. */
const maxRunning = 64;
/** Exit codes of `rhizome-job`. */
const exits = { done: 0, refused: 65, ended: 69 } as const;
const endedCodes = new Set(['FENCE_STALE', 'FORBIDDEN']);

/** Serves the requests of `rhizome-job units`. It keeps no state: another pilot goes on with them. */
export class UnitBatches {
  readonly #parts: UnitBatchesParts;
  readonly #running = new Map<string, Promise<void>>();

  constructor(parts: UnitBatchesParts) {
    this.#parts = parts;
  }

  /** Serves requests until the signal; never rejects. */
  async serve(signal: AbortSignal): Promise<void> {
    const { requests, log } = this.#parts;
    let busyUntil = 0;
    while (!signal.aborted) {
      try {
        for (const name of await requests.requests()) {
          if (this.#running.has(name) || this.#running.size >= maxRunning) continue;
          const request = parseBatchRequest((await requests.read(name)) ?? '');
          // Still being written, or not a request.
          if (request === undefined) continue;
          this.#start(name, request, signal);
          busyUntil = performance.now() + busyForMs;
        }
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, 'requests for work units not read');
      }
      const isBusy = this.#running.size > 0 || performance.now() < busyUntil;
      await sleep(isBusy ? busyPollMs : idlePollMs, signal);
    }
    await Promise.all(this.#running.values());
  }

  #start(name: string, request: BatchRequest, signal: AbortSignal): void {
    const { requests, log } = this.#parts;
    const serving = this.#answerTo(name, request, signal)
      .then((answer) => requests.answer(name, answer))
      .catch((error: unknown) => {
        if (!signal.aborted) log.warn({ err: error }, 'request for work units not served');
      })
      .finally(() => this.#running.delete(name));
    this.#running.set(name, serving);
  }

  async #answerTo(name: string, request: BatchRequest, signal: AbortSignal): Promise<RequestAnswer> {
    try {
      const problems = await this.#report(request, signal);
      const { lease } = request;
      if (lease === undefined) return { code: exits.done, message: 'reported', lines: problems };
      return await this.#lease(name, lease, problems, signal);
    } catch (error) {
      if (!(error instanceof CoreRefused)) throw error;
      return { code: endedCodes.has(error.code) ? exits.ended : exits.refused, message: error.message };
    }
  }

  /** Reports units. Returns a line for each that does not count. */
  async #report(
    { completed, failed, extended }: BatchRequest,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const { calls, files } = this.#parts;
    const problems: string[] = [];
    const call = async (send: () => Promise<UnitReportAnswer>): Promise<void> => {
      const { errors } = await untilAnswered(send, signal);
      const stale = errors.find(({ code }) => code === 'FENCE_STALE');
      if (stale !== undefined) throw new CoreRefused(stale.code, stale.message);
      problems.push(...errors.map(({ message }) => `problem ${message}`));
    };
    const { units, refused } = await this.#withResults(completed);
    const failures = [...refused, ...failed].map(({ id, fence, kind, message }) => ({
      id,
      fence,
      kind,
      message,
    }));
    for (const some of inCalls(units)) await call(() => calls.complete(some, signal));
    if (failures.length > 0) await call(() => calls.fail(failures, signal));
    if (extended.length > 0) await call(() => calls.extend(extended, signal));
    for (const { file } of [...completed, ...failed]) await files.remove(file);
    return problems;
  }

  /** Adds the results; a unit whose result is refused has failed. */
  async #withResults(completed: readonly BatchCompletion[]) {
    const units: { id: string; fence: number; seconds: number | undefined; result: string | undefined }[] =
      [];
    const refused: { id: string; fence: number; kind: 'DEAD'; message: string }[] = [];
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

  async #lease(
    name: string,
    { pool, max, waitSeconds, asLines }: BatchLease,
    problems: readonly string[],
    signal: AbortSignal,
  ): Promise<RequestAnswer> {
    const { calls, files } = this.#parts;
    const wanted = { pool, max, waitSeconds };
    const { units, isDrained } = await untilAnswered(() => calls.lease(wanted, signal), signal);
    if (units.length === 0)
      return { code: exits.done, message: isDrained ? 'drained' : 'none', lines: problems };
    const several = asLines ? units.filter(({ payload }) => payload?.includes('\n') === true) : [];
    const usable = units.filter((unit) => !several.includes(unit));
    if (several.length > 0) {
      const message = 'The payload has several lines; work on it as a file.';
      const failures = several.map(({ id, fence }) => ({ id, fence, kind: 'DEAD' as const, message }));
      await untilAnswered(() => calls.fail(failures, signal), signal);
    }
    if (usable.length === 0) return { code: exits.done, message: 'none', lines: problems };
    const names = usable.map((_unit, at) => `${name}-${at + 1}`);
    await (asLines ? files.writeLines(name, usable) : files.write(names, usable));
    const secondsLeft = Math.min(
      ...usable.map(({ expiresAt }) => (Date.parse(expiresAt) - Date.now()) / 1000),
    );
    return {
      code: exits.done,
      message: `units ${usable.length} ${Math.max(1, Math.floor(secondsLeft))}`,
      lines: [...usable.map(unitLine), ...problems],
    };
  }
}

function unitLine({ id, fence, attempt, key }: LeasedWorkUnit): string {
  return `unit ${id} ${fence} ${attempt} ${key}`;
}

/** Largest results of one call in bytes; the limit of core is 1 MiB. */
const maxCallBytes = 1024 * 1024;

/** Completions in calls whose results are not too large together. */
function inCalls<T extends { readonly result: string | undefined }>(units: readonly T[]): readonly T[][] {
  const calls: T[][] = [];
  let bytes = 0;
  for (const unit of units) {
    const own = Buffer.byteLength(unit.result ?? '');
    const last = calls.at(-1);
    if (last && bytes + own <= maxCallBytes) {
      last.push(unit);
      bytes += own;
      continue;
    }
    calls.push([unit]);
    bytes = own;
  }
  return calls;
}
