/** Formats counts. */

/** `1 queue`, `2 queues`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
