import { createHash } from 'node:crypto';

/**
 * JSON with members in one order, whatever theirs is, and without members that are null or absent. Null in a
 * list stays: it has a position. A value with a JSON form of its own, such as a date, is written in that
 * form.
 */
export function canonicalJson(value: unknown): string {
  // Sorted first and then written by the engine: twice as fast as writing the text here.
  return JSON.stringify(sorted(value)) ?? 'null';
}

/** SHA-256 of a value's {@link canonicalJson}, in base64url. */
export function digestOf(value: unknown): string {
  return sha256(canonicalJson(value));
}

/**
 * Whether a stored digest is that of the value: by {@link digestOf}, or of its plain JSON text, as earlier
 * versions stored some.
 * @param digest of the value, where the caller has it
 */
export function isDigestOf(stored: string, value: unknown, digest = digestOf(value)): boolean {
  return stored === digest || stored === sha256(JSON.stringify(value) ?? 'null');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return value;
  const members: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const name of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[name];
    if (member !== undefined && member !== null) members[name] = sorted(member);
  }
  return members;
}
