/** Requests of `rhizome-job units`, line by line. Pure. */
import type { UnitFailure, UnitReport } from '../protocol/unit-calls.js';

/** A completed unit, and the file with its result. */
export interface BatchCompletion extends UnitReport {
  /** Seconds that it took; undefined if the program could not measure them. */
  readonly seconds: number | undefined;
  /** Name of the unit among the files of the batches. */
  readonly file: string;
}

/** A unit that failed. */
export interface BatchFailure extends UnitFailure {
  readonly file: string;
}

/** Reports about the units of a batch, and a request for the next batch. */
export interface BatchRequest {
  readonly completed: readonly BatchCompletion[];
  readonly failed: readonly BatchFailure[];
  readonly extended: readonly UnitReport[];
  readonly lease: BatchLease | undefined;
}

/** A request for a batch. */
export interface BatchLease {
  readonly pool: string;
  readonly max: number;
  readonly waitSeconds: number;
  /** True if the units are wanted as lines of one file, not as a file each. */
  readonly asLines: boolean;
}

/** Last line: what has none is still being written. */
const lastLine = 'end';

const forms = {
  complete: /^(\S{1,200}) (\d{1,15}) (\d{1,15}|-) ([\w-]{1,100})$/,
  fail: /^(\S{1,200}) (\d{1,15}) (RETRY|DEAD|RETURN) ([\w-]{1,100}) (.{1,1000})$/,
  extend: /^(\S{1,200}) (\d{1,15})$/,
  lease: /^(\d{1,4}) (\d{1,5}) (lines|files) (.{1,200})$/,
} as const;

/** The request; undefined if it is incomplete or not one. */
export function parseBatchRequest(text: string): BatchRequest | undefined {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.pop() !== lastLine) return undefined;
  const completed: BatchCompletion[] = [];
  const failed: BatchFailure[] = [];
  const extended: UnitReport[] = [];
  let lease: BatchLease | undefined;
  for (const line of lines) {
    const [, verb, rest = ''] = /^(complete|fail|extend|lease) (.+)$/.exec(line) ?? [];
    const values = verb === undefined ? null : forms[verb as keyof typeof forms].exec(rest);
    if (!values) return undefined;
    const [, first = '', second = '', third = '', fourth = '', fifth = ''] = values;
    const unit = { id: first, fence: Number(second) };
    if (verb === 'complete') completed.push({ ...unit, seconds: secondsOf(third), file: fourth });
    else if (verb === 'fail')
      failed.push({ ...unit, kind: third as BatchFailure['kind'], file: fourth, message: fifth });
    else if (verb === 'extend') extended.push(unit);
    else
      lease = { pool: fourth, max: Number(first), waitSeconds: Number(second), asLines: third === 'lines' };
  }
  return { completed, failed, extended, lease };
}

/** Given in hundredths. */
function secondsOf(value: string): number | undefined {
  return value === '-' ? undefined : Number(value) / 100;
}
