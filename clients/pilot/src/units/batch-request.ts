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

/** Reports about units, or a request for a batch. */
export interface BatchRequest {
  readonly completed: readonly BatchCompletion[];
  readonly failed: readonly BatchFailure[];
  readonly extended: readonly UnitReport[];
  /** Names of requests whose answers were read. */
  readonly seen: readonly string[];
  /** Names of requests for batches that are no longer wanted. */
  readonly withdrawn: readonly string[];
  readonly lease: BatchLease | undefined;
  readonly nodes: AddedNodesFile | undefined;
}

/** A request to add nodes to the workflow. */
export interface AddedNodesFile {
  /** Idempotency key. */
  readonly key: string;
  /** Name of the file with the nodes among the files of the batches. */
  readonly file: string;
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
  seen: /^([\w-]{1,100})$/,
  withdraw: /^([\w-]{1,100})$/,
  nodes: /^([\w-]{1,100}) (\S{1,200})$/,
  lease: /^(\d{1,4}) (\d{1,5}) (lines|files) (.{1,200})$/,
} as const;

/** The request, or why there is none. */
export function parseBatchRequest(text: string): BatchRequest | 'incomplete' | 'invalid' {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.pop() !== lastLine) return 'incomplete';
  const completed: BatchCompletion[] = [];
  const failed: BatchFailure[] = [];
  const extended: UnitReport[] = [];
  const seen: string[] = [];
  const withdrawn: string[] = [];
  let lease: BatchLease | undefined;
  let nodes: AddedNodesFile | undefined;
  for (const line of lines) {
    const [, verb, rest = ''] = /^(complete|fail|extend|seen|withdraw|nodes|lease) (.+)$/.exec(line) ?? [];
    const values = verb === undefined ? null : forms[verb as keyof typeof forms].exec(rest);
    if (!values) return 'invalid';
    const [, first = '', second = '', third = '', fourth = '', fifth = ''] = values;
    const unit = { id: first, fence: Number(second) };
    if (verb === 'complete') completed.push({ ...unit, seconds: secondsOf(third), file: fourth });
    else if (verb === 'fail')
      failed.push({ ...unit, kind: third as BatchFailure['kind'], file: fourth, message: fifth });
    else if (verb === 'extend') extended.push(unit);
    else if (verb === 'seen') seen.push(first);
    else if (verb === 'withdraw') withdrawn.push(first);
    else if (verb === 'nodes') nodes = { file: first, key: second };
    else
      lease = { pool: fourth, max: Number(first), waitSeconds: Number(second), asLines: third === 'lines' };
  }
  const hasReports = completed.length + failed.length + extended.length > 0;
  if ((lease && (hasReports || nodes)) || (nodes && hasReports)) return 'invalid';
  return { completed, failed, extended, seen, withdrawn, lease, nodes };
}

/** Given in hundredths. */
function secondsOf(value: string): number | undefined {
  return value === '-' ? undefined : Number(value) / 100;
}
