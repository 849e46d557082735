/** Syntax trees of CEL, as the library gives them. */

/** Macros that bind a variable to each entry of a list or map. */
export const comprehensions: ReadonlySet<unknown> = new Set(['all', 'exists', 'exists_one', 'filter', 'map']);

/** Returns true for a node of a syntax tree. */
export function isCelNode(value: unknown): value is { op: string; args: unknown } {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}

/** The message of an error of the library, without the source that follows it. */
export function firstLine(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}
