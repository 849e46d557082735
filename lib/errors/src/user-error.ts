import type { AnyErrorCode } from './registry.js';
import { isDomainError } from './domain-error.js';

/** An entry of a payload's `userErrors`. */
export interface UserErrorShape {
  /** For people: names the field, the value and what would be right. */
  readonly message: string;
  /**
   * Path of the input at fault, from the mutation's input downward: `['jobs', '3', 'name']`. Empty when it is
   * the whole.
   */
  readonly path: string[];
  /** For programs. */
  readonly code: AnyErrorCode;
}

/**
 * True for an error that its caller can mend: it belongs into `userErrors`, not into the top-level errors.
 */
export function isUserError(error: unknown): boolean {
  return isDomainError(error) && error.http < 500 && error.http !== 401;
}

/**
 * A DomainError as an entry of `userErrors`. `at` is put before the path of `details.field`.
 * @throws the error itself when its caller cannot mend it (identity, service, bug): it stays a top-level
 *   error.
 */
export function userError(error: unknown, at: readonly (string | number)[] = []): UserErrorShape {
  if (!isDomainError(error) || !isUserError(error)) throw error;
  const field = typeof error.details.field === 'string' ? error.details.field : '';
  const own = field.split(/[.[\]]+/).filter((part) => part !== '');
  return { message: error.message, path: [...at.map(String), ...own], code: error.code };
}
