/** The rows of one document of counts in memory, and the changes since it was stored. Pure. */
import {
  type FailureCountsDocument,
  type FailureKey,
  type FailureRow,
  type HourlyRollup,
  maxRows,
  maxSamples,
  otherCode,
  rollupFields,
} from './failure-counts.document.js';
import type { FailureChange } from './failure-changes.js';

/** Fields by which rows of totals differ; their document has one site. */
const totalFields = ['site', 'queue'] as const;

/** Changes of a document since it was stored. */
export interface TableChanges {
  /** Changed rows, by position. */
  readonly rows: ReadonlyMap<number, FailureRow>;
  /** Revision of the stored document; undefined if there is none. */
  readonly revision: number | undefined;
  /** Position in the stream up to which the counts are complete. */
  readonly upTo: string;
}

/** Counts of one document. */
export class FailureTable {
  readonly #rollup: HourlyRollup | 'TOTAL';
  readonly #rows: FailureRow[];
  readonly #positions = new Map<string, number>();
  readonly #changed = new Set<number>();
  #revision: number | undefined;
  #upTo: string;

  constructor(
    rollup: HourlyRollup | 'TOTAL',
    stored?: Pick<FailureCountsDocument, 'rows' | 'upTo' | 'revision'> | undefined,
  ) {
    this.#rollup = rollup;
    this.#rows = [...(stored?.rows ?? [])];
    this.#revision = stored?.revision;
    this.#upTo = stored?.upTo ?? '';
    this.#rows.forEach((row, position) => this.#positions.set(textOf(row), position));
  }

  /** All rows. */
  get rows(): readonly FailureRow[] {
    return this.#rows;
  }

  /** True if something changed since the document was stored. */
  get isChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** Counts a change, unless it is one of an event that the document contains. */
  apply(change: FailureChange): void {
    if (change.token !== undefined) {
      if (change.token <= this.#upTo) return;
      this.#upTo = change.token;
    }
    const position = this.#positionOf(change);
    const row = this.#rows[position];
    if (row) this.#rows[position] = added(row, change);
    this.#changed.add(position);
  }

  /** Changes since the document was stored. */
  changes(): TableChanges {
    const rows = new Map<number, FailureRow>();
    for (const position of this.#changed) {
      const row = this.#rows[position];
      if (row) rows.set(position, row);
    }
    return { rows, revision: this.#revision, upTo: this.#upTo };
  }

  /** Called after the changes were stored. */
  stored(): void {
    this.#revision = (this.#revision ?? 0) + 1;
    this.#changed.clear();
  }

  #positionOf(change: FailureChange): number {
    const key = keyOf(this.#rollup, change.key);
    const known = this.#positions.get(textOf(key));
    if (known !== undefined) return known;
    if (this.#rows.length < maxRows[this.#rollup]) return this.#append(key, change);
    const other = { ...noValues, family: key.family, code: otherCode };
    return this.#positions.get(textOf(other)) ?? this.#append(other, change);
  }

  #append(key: FailureKey, { at }: FailureChange): number {
    const position = this.#rows.length;
    this.#rows.push({ ...key, count: 0, coreSeconds: 0, gpuSeconds: 0, firstAt: at, lastAt: at, jobs: [] });
    this.#positions.set(textOf(key), position);
    return position;
  }
}

const noValues = { site: null, queue: null, host: null, taskId: null, image: null, exitCode: null };

/** The fields of a key that the rows of a rollup have. */
function keyOf(rollup: HourlyRollup | 'TOTAL', key: FailureKey): FailureKey {
  const fields: readonly (keyof FailureKey)[] = rollup === 'TOTAL' ? totalFields : rollupFields[rollup];
  const kept = Object.fromEntries(fields.map((field) => [field, key[field]]));
  return { ...noValues, ...kept, family: key.family, code: key.code };
}

function textOf({ family, code, site, queue, host, taskId, image, exitCode }: FailureKey): string {
  return JSON.stringify([family, code, site, queue, host, taskId, image, exitCode]);
}

function added(row: FailureRow, { sign, coreSeconds, gpuSeconds, at, jobId }: FailureChange): FailureRow {
  const sums = {
    count: row.count + sign,
    coreSeconds: rounded(row.coreSeconds + sign * coreSeconds),
    gpuSeconds: rounded(row.gpuSeconds + sign * gpuSeconds),
  };
  if (sign < 0) return { ...row, ...sums, jobs: row.jobs.filter((id) => id !== jobId) };
  return {
    ...row,
    ...sums,
    firstAt: at < row.firstAt ? at : row.firstAt,
    lastAt: at > row.lastAt ? at : row.lastAt,
    jobs: [jobId, ...row.jobs.filter((id) => id !== jobId)].slice(0, maxSamples),
  };
}

/** Milliseconds: sums of fractions would differ from the sums of their parts. */
function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
