import type { Retry } from './catalogue.js';
import { lookUp, type AnyErrorCode } from './registry.js';
import { formatValue } from './format-value.js';

/**
 * Facts in addition to the message; `field`, `value` and `expected` are given where they exist. Never
 * secrets.
 */
export interface ErrorDetails {
  /** Path of the input at fault, dotted: `jobs.3.requirements.cores`. */
  readonly field?: string;
  /** The value at fault. */
  readonly value?: unknown;
  /** Description of a valid value. */
  readonly expected?: string;
  readonly [fact: string]: unknown;
}

// A brand by the global symbol registry: instanceof fails between two copies of this package.
const brand = Symbol.for('rhizome.DomainError');

/**
 * The one class of expected errors: callers distinguish them by `code`, never by class or text.
 * The message is shown to the caller and names the field, the value and what is valid.
 */
export class DomainError extends Error {
  /** A code of the catalogue or one that an experiment defined. */
  readonly code: AnyErrorCode;
  /** Facts for programs; shown to the caller. */
  readonly details: ErrorDetails;
  /** Retry advice of the code. */
  readonly retry: Retry;
  /** HTTP status of the code. */
  readonly http: number;

  /** @throws TypeError for a code that nobody defined. */
  constructor(
    code: AnyErrorCode,
    message: string,
    details: ErrorDetails = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    const known = lookUp(code);
    if (!known) throw new TypeError(`${String(code)} is in no error catalogue; message: ${message}`);
    this.name = 'DomainError';
    this.code = code;
    this.details = details;
    this.retry = known.retry;
    this.http = known.http;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** True for a DomainError of any copy of this package. */
export function isDomainError(error: unknown): error is DomainError {
  return error instanceof Error && (error as { [brand]?: unknown })[brand] === true;
}

/** A BAD_USER_INPUT that names the field, the value and what would be right. */
export function badInput(field: string, value: unknown, expected: string): DomainError {
  return new DomainError(
    'BAD_USER_INPUT',
    `${field}: ${formatValue(value)} is not valid; must be ${expected}`,
    {
      field,
      value,
      expected,
    },
  );
}
