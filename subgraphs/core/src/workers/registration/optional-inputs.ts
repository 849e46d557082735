/** Optional facts of an input. */
import type { InputErrors } from '@rhizome/errors';
import type { WorkerErrorCode } from '../worker-errors.js';

/** A value that may be left out or null. */
export type Maybe<T> = T | null | undefined;

/** Path of a fact in its input. */
export type Path = readonly (string | number)[];

/** Checks an optional text. An empty text is an error: leave the text out instead. */
export function checkOptionalText(
  errors: InputErrors<WorkerErrorCode>,
  path: Path,
  value: string | null | undefined,
  max: number,
): void {
  if (value != null) errors.text(path, value, 1, max);
}

type Known<T> = { [K in keyof T]?: NonNullable<T[K]> };

/** Removes facts that are unknown. */
export function known<T extends object>(facts: T): Known<T> {
  return Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined && value !== null),
  ) as Known<T>;
}
