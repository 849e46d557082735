/** Lists of texts that are too large for one command of the store. */

/** Parts of a list, in order, each of at most `mostBytes` bytes, or of a single text. */
export function* partsOfTexts(texts: readonly string[], mostBytes: number): Generator<readonly string[]> {
  let part: string[] = [];
  let bytes = 0;
  for (const text of texts) {
    const size = Buffer.byteLength(text);
    if (part.length > 0 && bytes + size > mostBytes) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(text);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
