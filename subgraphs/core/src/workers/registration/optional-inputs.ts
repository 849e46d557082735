/** Facts of an input that may be left out. */
import type { InputErrors } from '@rhizome/errors';
import type { WorkerErrorCode } from '../worker-errors.js';

/** Left out, or null. */
export type Maybe<T> = T | null | undefined;

/** The place of a fact in its input. */
export type Path = readonly (string | number)[];

/** A text that may be left out; an empty one is no way to say so. */
export function checkOptionalText(
  errors: InputErrors<WorkerErrorCode>,
  path: Path,
  value: string | null | undefined,
  max: number,
): void {
  if (value != null) errors.text(path, value, 1, max);
}

type Known<T> = { [K in keyof T]?: NonNullable<T[K]> };

/** Facts without those that are not known. */
export function known<T extends object>(facts: T): Known<T> {
  return Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined && value !== null),
  ) as Known<T>;
}
