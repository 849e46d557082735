import { DomainError, toGraphQLError } from '@rhizome/errors';
import type { GraphQLError } from 'graphql';

/** Maximum nesting depth of brackets of any kind: parsing and validating use the stack for each level. */
const deepest = 500;

const opening = new Set('{[('.split('').map((one) => one.charCodeAt(0)));
const closing = new Set('}])'.split('').map((one) => one.charCodeAt(0)));
const quote = '"'.charCodeAt(0);
const backslash = '\\'.charCodeAt(0);

/**
 * True if a document is too deeply nested to be parsed safely; determined without parsing it. Strings do not
 * count.
 */
export function isTooDeep(text: string): boolean {
  // Too short to contain this many.
  if (text.length <= deepest) return false;
  let depth = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) isQuoted = !isQuoted;
    else if (isQuoted) at += code === backslash ? 1 : 0;
    else if (opening.has(code)) depth += 1;
    else if (closing.has(code)) depth -= 1;
    if (depth > deepest) return true;
  }
  return false;
}

/** The error for such a document. */
export function tooDeep(): DomainError {
  const expected = `brackets nested at most ${deepest} deep`;
  return new DomainError('OPERATION_TOO_COMPLEX', `query: nested too deeply; must have ${expected}`, {
    field: 'query',
    expected,
  });
}

/** The error in the form of an answer. */
export function tooDeepError(): GraphQLError {
  return toGraphQLError(tooDeep());
}
