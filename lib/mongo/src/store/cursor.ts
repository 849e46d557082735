import { createHash } from 'node:crypto';
import { DomainError } from '@rhizome/errors';

/** A value that a list may be ordered by. */
export type KeyValue = string | number | boolean | Date | null;

type Encoded = string | number | boolean | null | { readonly d: number };

const signatures = new Map<string, string>();

/**
 * Short name of an order: a cursor of another order is refused by it. A program has few orders: they are
 * kept.
 */
export function orderSignature(text: string): string {
  let signature = signatures.get(text);
  if (signature === undefined) {
    signature = createHash('sha256').update(text).digest('base64url').slice(0, 8);
    signatures.set(text, signature);
  }
  return signature;
}

/** An opaque text that carries the place in a list: the values of its order. */
export function encodeCursor(signature: string, values: readonly KeyValue[]): string {
  const encoded = values.map((value): Encoded => (value instanceof Date ? { d: value.getTime() } : value));
  return Buffer.from(JSON.stringify([signature, ...encoded])).toString('base64url');
}

/**
 * The values in a cursor.
 * @throws DomainError CURSOR_INVALID for junk, another order, or values that a list cannot have.
 */
export function decodeCursor(cursor: string, signature: string, count: number): KeyValue[] {
  const parts = parse(cursor);
  if (!parts || parts.length !== count + 1 || parts[0] !== signature) throw invalid(cursor);
  return parts.slice(1).map((part) => decodeValue(part, cursor));
}

function parse(cursor: string): unknown[] | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(parts) ? parts : undefined;
  } catch {
    return undefined;
  }
}

// Plain values only: whatever a caller writes into a cursor is compared, never run as an operator.
function decodeValue(part: unknown, cursor: string): KeyValue {
  if (part === null || typeof part === 'string' || typeof part === 'number' || typeof part === 'boolean')
    return part;
  const milliseconds = typeof part === 'object' && 'd' in part ? part.d : undefined;
  if (typeof milliseconds !== 'number' || Object.keys(part as object).length !== 1) throw invalid(cursor);
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) throw invalid(cursor);
  return date;
}

function invalid(cursor: string): DomainError {
  const value = cursor.slice(0, 100);
  return new DomainError('CURSOR_INVALID', `after: "${value}" is not a cursor of this list in this order`, {
    field: 'after',
    value,
    expected: 'a cursor that this list gave in the same order, or none',
  });
}
