/** Requests of `rhizome-job`, line by line. Pure. */
import type { ProgressPoint } from './checkpoint.types.js';

/** Request for a checkpoint, or report of progress. */
export interface PayloadRequest extends ProgressPoint {
  /** Absolute paths, as the payload sees them. */
  readonly files: readonly string[];
}

/** Last line: what has none is still being written. */
const lastLine = 'end';
const longestNumber = 20;

/** The request; undefined if it is incomplete or not one. */
export function parseRequest(text: string): PayloadRequest | undefined {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.pop() !== lastLine) return undefined;
  const files: string[] = [];
  let step: number | null = null;
  let fraction: number | null = null;
  for (const line of lines) {
    const [, name, value = ''] = /^(step|progress|file) (.+)$/.exec(line) ?? [];
    if (name === 'file') files.push(value);
    else if (name === 'step' && /^\d{1,15}$/.test(value)) step = Number(value);
    else if (name === 'progress' && isFraction(value)) fraction = Number(value);
    else return undefined;
  }
  return { step, fraction, files };
}

function isFraction(value: string): boolean {
  if (value.length > longestNumber || !/^(\d+\.?\d*|\.\d+)$/.test(value)) return false;
  return Number(value) <= 1;
}
