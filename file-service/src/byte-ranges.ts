/** Ranges and conditions of requests (RFC 9110, sections 13 and 14). */
import type { IncomingHttpHeaders } from 'node:http';
import type { ByteRange, OpenFile } from '@rhizome/storage';

/** Bytes to send, both inclusive. */
export type SentRange = Required<ByteRange> & { readonly end: number };

/**
 * The range that a request asks for; undefined for the whole file, also if there are several ranges, or if
 * the file is not the one that the client has a part of. Null if the range begins after the end of the file.
 */
export function rangeOf(headers: IncomingHttpHeaders, file: OpenFile): SentRange | null | undefined {
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(headers.range ?? '');
  if (match === null || !isSame(headers['if-range']?.toString(), file)) return undefined;
  const [, first = '', last = ''] = match;
  const { sizeBytes } = file;
  if (first === '') {
    // The last bytes.
    if (last === '') return undefined;
    const length = Math.min(Number(last), sizeBytes);
    return length === 0 ? null : { start: sizeBytes - length, end: sizeBytes - 1 };
  }
  const start = Number(first);
  const end = last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= sizeBytes ? null : { start, end };
}

/** Entity tag of a file. */
export function tagOf({ version }: OpenFile): string {
  return `"${version}"`;
}

/** True if the client has this very file. */
export function isUnchanged(headers: IncomingHttpHeaders, file: OpenFile): boolean {
  const tags = headers['if-none-match'];
  if (tags === undefined) return false;
  return tags.split(',').some((tag) => [tagOf(file), '*'].includes(tag.trim().replace(/^W\//, '')));
}

/** True without a condition, or if the condition names this very file. A date alone has only seconds. */
function isSame(condition: string | undefined, file: OpenFile): boolean {
  if (condition === undefined) return true;
  return condition.trim() === tagOf(file);
}
