/** Wrong values that the inputs of several mutations of core may have. */
import type { BadInput, Row } from '../case.js';
import { usedKey } from '../good-inputs.js';

/** A text of this length. */
export const text = (length: number) => 'x'.repeat(length);
/** A long text, as errors show it. */
export const cut = (length: number) => `(${length} characters)`;
export const emptyKey: Row = ['an empty key', 'idempotencyKey', ''];
/** @param also further changes, so that the content is another one */
export const reused = (...also: BadInput['change']): Row => [
  'a key that was used with other content',
  'idempotencyKey',
  usedKey,
  { code: 'IDEMPOTENCY_KEY_REUSED', also },
];
export const unknownField: Row = [
  'a field that there is not',
  'colour',
  'red',
  { code: 'BAD_USER_INPUT', names: 'colour' },
];
export const noExperiment: Row = [
  'an unknown experiment',
  'experiment',
  'nowhere',
  { code: 'EXPERIMENT_NOT_FOUND' },
];
export const tooLong: Row = ['a reason that is too long', 'reason', text(501), { names: cut(501) }];
