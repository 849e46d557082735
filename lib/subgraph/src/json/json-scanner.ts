import { DomainError } from '@rhizome/errors';

/** Bounds of a JSON text that are checked in its bytes, before it is parsed. */
export interface JsonBounds {
  /** Maximum nesting of lists and objects. */
  readonly depth: number;
  /** Maximum number of opening brackets and commas: each becomes at least one value in memory. */
  readonly tokens: number;
}

/** Nesting of variables that code behind a parser can process without running out of stack. */
export const deepestVariables = 200;

/** Bounds of small bodies and of messages: the two outer levels are the request and its variables. */
export const smallJsonBounds: JsonBounds = { depth: deepestVariables + 2, tokens: 100_000 };
/** Bounds of large bodies. A task of a million parameter sets has about eight million tokens. */
export const largeJsonBounds: JsonBounds = { depth: deepestVariables + 2, tokens: 20_000_000 };

const opening = 1;
const closing = 2;
const comma = 3;
const quote = 4;
const backslash = 0x5c;

const kinds = new Uint8Array(256);
for (const [text, kind] of [
  ['[{', opening],
  [']}', closing],
  [',', comma],
  ['"', quote],
] as const) {
  for (const character of text) kinds[character.charCodeAt(0)] = kind;
}

/**
 * Counts the nesting and the tokens of a JSON text in UTF-8 as its chunks arrive. The text need not be valid:
 * what the counts refuse is never parsed, and a parser reports the rest.
 */
export class JsonScanner {
  readonly #bounds: JsonBounds;
  #depth = 0;
  #tokens = 0;
  #isQuoted = false;
  /** The last byte of the previous chunk was a backslash in a string. */
  #isEscaped = false;

  constructor(bounds: JsonBounds) {
    this.#bounds = bounds;
  }

  /** Opening brackets and commas in what was scanned. */
  get tokens(): number {
    return this.#tokens;
  }

  /** @throws DomainError OPERATION_TOO_COMPLEX at the first byte that exceeds a bound */
  scan(chunk: Uint8Array): void {
    const { depth, tokens } = this.#bounds;
    const { length } = chunk;
    let at = this.#isQuoted ? this.#endOfString(chunk, 0) : 0;
    for (; at < length; at++) {
      switch (kinds[chunk[at] as number]) {
        case opening:
          if (++this.#depth > depth) throw tooDeepJson(depth);
          if (++this.#tokens > tokens) throw tooManyTokens(tokens);
          break;
        case comma:
          if (++this.#tokens > tokens) throw tooManyTokens(tokens);
          break;
        case closing:
          this.#depth--;
          break;
        case quote:
          this.#isQuoted = true;
          at = this.#endOfString(chunk, at + 1) - 1;
      }
    }
  }

  /** The position after the string's closing quote, or the end of the chunk. */
  #endOfString(chunk: Uint8Array, from: number): number {
    const { length } = chunk;
    let at = from;
    if (this.#isEscaped && at < length) {
      this.#isEscaped = false;
      at++;
    }
    for (; at < length; at++) {
      const byte = chunk[at];
      if (byte === 0x22) {
        this.#isQuoted = false;
        return at + 1;
      }
      if (byte === backslash && ++at >= length) this.#isEscaped = true;
    }
    return length;
  }
}

/** Checks a whole text. @throws DomainError OPERATION_TOO_COMPLEX */
export function assertJsonBounds(text: Uint8Array, bounds: JsonBounds = smallJsonBounds): void {
  // Too short to reach a bound.
  if (text.length <= bounds.depth) return;
  new JsonScanner(bounds).scan(text);
}

function tooDeepJson(depth: number): DomainError {
  const expected = `lists and objects nested at most ${depth - 2} deep`;
  return new DomainError('OPERATION_TOO_COMPLEX', `body: variables nest too deep; must be ${expected}`, {
    field: 'body',
    expected,
  });
}

function tooManyTokens(tokens: number): DomainError {
  const expected = `at most ${tokens} opening brackets and commas`;
  return new DomainError('OPERATION_TOO_COMPLEX', `body: too many values; must have ${expected}`, {
    field: 'body',
    expected,
  });
}
