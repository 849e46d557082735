/** Batches of units for `rhizome-job units`. */
import { randomUUID } from 'node:crypto';
import type { RequestAnswer, RequestFolder } from '../checkpoints/request-folder.js';
import type { LeasedWorkUnit } from '../protocol/unit-calls.js';
import { type BatchFiles, textOf } from './batch-files.js';
import type { BatchLease } from './batch-request.js';
import type { UnitService } from './unit-service.js';

/** Parts of {@link BatchLeases}. */
export interface BatchLeasesParts {
  readonly requests: RequestFolder;
  readonly files: BatchFiles;
  readonly service: UnitService;
}

/** Leases units for a program, writes their files, and answers; returns units that do not reach it. */
export class BatchLeases {
  readonly #parts: BatchLeasesParts;

  constructor(parts: BatchLeasesParts) {
    this.#parts = parts;
  }

  /**
   * Serves a request. Returns the answer, or undefined if it was given with the units.
   * @param withdrawn aborted if the program no longer wants units
   * @throws CoreRefused, or the error of the operating system
   */
  async lease(
    name: string,
    { pool, max, waitSeconds, asLines }: BatchLease,
    withdrawn: AbortSignal,
    signal: AbortSignal,
  ): Promise<RequestAnswer | undefined> {
    const { service } = this.#parts;
    const wanted = { pool, max, waitSeconds };
    const calling = AbortSignal.any([withdrawn, signal]);
    const leased = await service.lease(wanted, calling).catch((error: unknown) => {
      if (withdrawn.aborted && !signal.aborted) return undefined;
      throw error;
    });
    if (leased === undefined) return { code: 0, message: 'none' };
    const { units, isDrained, leaseSeconds } = leased;
    if (units.length === 0) return { code: 0, message: isDrained ? 'drained' : 'none' };
    const several = asLines ? units.find((unit) => lineOf(unit).includes('\n')) : undefined;
    if (several !== undefined) {
      await service.giveBack(units, 'A payload has several lines.', signal);
      const text = `the payload of unit "${several.id}" has several lines; run the command without --lines`;
      return { code: 65, message: text };
    }
    await this.#hand(name, units, asLines, Math.max(1, Math.floor(leaseSeconds)), signal);
    return undefined;
  }

  /** Writes the files of a batch, then its answer: the program finds all or nothing. */
  async #hand(
    name: string,
    units: readonly LeasedWorkUnit[],
    asLines: boolean,
    leaseSeconds: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { requests, files, service } = this.#parts;
    // Not the program's name, which another one may have had.
    const batch = randomUUID();
    const names = units.map((_unit, at) => `${batch}-${at + 1}`);
    try {
      if (asLines) await files.writeLines(batch, units.map(lineOf));
      else await files.write(names, units);
      const message = `units ${units.length} ${leaseSeconds} ${batch}`;
      await requests.answer(name, { code: 0, message, lines: units.map(unitLine) });
    } catch (error) {
      await service.giveBack(units, 'The files of the units could not be written.', signal);
      for (const one of names) await files.remove(one).catch(() => undefined);
      throw error;
    }
  }
}

/** A payload as a line; a line break at its end counts as that of the line. */
function lineOf(unit: LeasedWorkUnit): string {
  return textOf(unit).replace(/\r?\n$/, '');
}

/** Facts about a unit in addition to its file; the key last, because it may contain blanks. */
function unitLine({ id, fence, attempt, reference, size, deadline, key }: LeasedWorkUnit): string {
  const form = reference === null ? 'payload' : 'reference';
  return ['unit', id, fence, attempt, form, size ?? '-', deadline ?? '-', key].join(' ');
}
