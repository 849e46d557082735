/** Formats counts. */

/** `1 queue`, `2 queues`. */
export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
