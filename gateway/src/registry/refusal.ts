/** Reasons why a change of a schema is refused, as callers read them. */
import { formatValue } from '@rhizome/errors';

/** Stable codes; the SDL describes them. */
export type RefusalCode =
  | 'INVALID_VALUE'
  | 'SUBGRAPH_NOT_FOUND'
  | 'TYPE_PREFIX_TAKEN'
  | 'APPROVAL_NEEDED'
  | 'VERSION_NOT_FOUND'
  | 'CHECK_FAILED'
  | 'ENDPOINT_DIFFERS'
  | 'TOO_MANY_PUBLISHERS';

/** An entry of a payload's `userErrors`. `C` lists the codes that the mutation answers with. */
export interface SchemaRefusal<C extends RefusalCode = RefusalCode> {
  readonly code: C;
  readonly message: string;
  readonly path: readonly string[];
}

/** A refusal of one field of the input. */
export function refuse<C extends RefusalCode>(code: C, field: string, message: string): SchemaRefusal<C> {
  return { code, message: `${field}: ${message}`, path: [field] };
}

/** An invalid value. */
export function invalid(field: string, value: unknown, expected: string): SchemaRefusal<'INVALID_VALUE'> {
  return refuse('INVALID_VALUE', field, `${formatValue(value)} is not valid; must be ${expected}`);
}

/** A subgraph that is not registered. */
export function notRegistered(name: string): SchemaRefusal<'SUBGRAPH_NOT_FOUND'> {
  const text = `Subgraph "${name}" not found. Register it with its endpoint first.`;
  return refuse('SUBGRAPH_NOT_FOUND', 'subgraph', text);
}

/** Refusal of a note that is too long; otherwise undefined. */
export function noteFault(note: string | null): SchemaRefusal<'INVALID_VALUE'> | undefined {
  if (note === null || note.length <= 1000) return undefined;
  return refuse('INVALID_VALUE', 'note', `${note.length} characters are too many; must be at most 1000`);
}

/** The result of a refused publication. */
export function refusedBy<C extends RefusalCode>(
  refusal: SchemaRefusal<C>,
): {
  readonly version: null;
  readonly check: null;
  readonly userErrors: readonly SchemaRefusal<C>[];
} {
  return { version: null, check: null, userErrors: [refusal] };
}
