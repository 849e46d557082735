/** Division of the files of a dataset into jobs. Pure. */
import type { DatasetSplit, FileRange } from './task-dataset.types.js';

/** Properties of a file by which files are divided. */
export interface SplitFile {
  readonly position: number;
  readonly sizeBytes: number;
  readonly events?: number;
  readonly key?: string;
}

/** Rule of a division. */
export interface SplitRule {
  readonly by: DatasetSplit;
  /** Files, events or bytes of a job; ignored with KEY. */
  readonly perJob: number;
  /** Largest number of files of a job. */
  readonly mostFiles: number;
}

/** Files in the order of their positions; with KEY, in that of their keys, then positions. */
export type SplitFiles<T extends SplitFile = SplitFile> = AsyncIterable<T> | Iterable<T>;

/**
 * Ranges of files, each file in one, in the order of the files. A file is not divided: one that is larger
 * than a job may be has a job of its own.
 */
export async function* fileRanges(files: SplitFiles, rule: SplitRule): AsyncGenerator<FileRange> {
  let range: FileRange | undefined;
  let amount = 0;
  for await (const file of files) {
    const own = amountOf(file, rule.by);
    if (range && isFull(range, file, amount + own, rule)) {
      yield range;
      range = undefined;
    }
    amount = range ? amount + own : own;
    range = range ? { ...range, to: file.position, files: range.files + 1 } : firstOf(file, rule.by);
  }
  if (range) yield range;
}

function firstOf({ position, key }: SplitFile, by: DatasetSplit): FileRange {
  const ofKey = by === 'KEY' && key !== undefined ? { key } : {};
  return { from: position, to: position, files: 1, ...ofKey };
}

function amountOf({ sizeBytes, events = 0 }: SplitFile, by: DatasetSplit): number {
  if (by === 'EVENTS') return events;
  if (by === 'BYTES') return sizeBytes;
  return 1;
}

/** @param amount that of the range with the file */
function isFull(range: FileRange, file: SplitFile, amount: number, rule: SplitRule): boolean {
  if (range.files >= rule.mostFiles) return true;
  return rule.by === 'KEY' ? range.key !== file.key : amount > rule.perJob;
}
