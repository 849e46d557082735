/**
 * Conditions of jobs that no index answers. The store reads the jobs that the other conditions find, in the
 * order of their ids, until the page is full: a filter needs one that narrows, and the read has a longest
 * time.
 */
import { badInput } from '@rhizome/errors';
import type { JobErrorFamily } from './job.types.js';

/** Conditions that one and the same attempt must meet; the values of a list are alternatives. */
export interface AttemptCriteria {
  readonly errorFamilies?: readonly JobErrorFamily[] | null | undefined;
  readonly errorCodes?: readonly string[] | null | undefined;
  readonly exitCodes?: readonly number[] | null | undefined;
  readonly sites?: readonly string[] | null | undefined;
  readonly hosts?: readonly string[] | null | undefined;
}

/** Conditions without an index. */
export interface SearchCriteria {
  readonly attempts?: AttemptCriteria | undefined;
  readonly images?: readonly string[] | undefined;
  /** Part of the name, or of the message of an error. */
  readonly text?: string | undefined;
  /** Models of granted GPUs. */
  readonly gpuModels?: readonly string[] | undefined;
}

/** Conditions that lists of jobs alone know. */
export const searchFields = [
  'attempts',
  'images',
  'text',
] as const satisfies readonly (keyof SearchCriteria)[];

const maxValues = 100;
const maxText = 200;

/** Stored field of an attempt for each condition. */
const attemptFields = {
  errorFamilies: 'error.family',
  errorCodes: 'error.code',
  exitCodes: 'exitCode',
  sites: 'site',
  hosts: 'host',
} as const satisfies Readonly<Record<keyof AttemptCriteria, string>>;

/** @throws DomainError BAD_USER_INPUT naming a list or a text that is too long */
export function assertSearchSize(filter: {
  readonly attempts?: AttemptCriteria | null | undefined;
  readonly text?: string | null | undefined;
}): void {
  for (const name of attemptNames) {
    const count = filter.attempts?.[name]?.length ?? 0;
    if (count > maxValues)
      throw badInput(`filter.attempts.${name}`, `${count} values`, `at most ${maxValues}`);
  }
  const { text } = filter;
  if (text != null && (text.length < 1 || text.length > maxText))
    throw badInput('filter.text', `${text.length} characters`, `1 to ${maxText}`);
}

/** The conditions in the syntax of the store; undefined if an empty list matches nothing. */
export function searchConditions({
  attempts = {},
  images,
  text,
  gpuModels,
}: SearchCriteria): Readonly<Record<string, unknown>> | undefined {
  const given = attemptNames.flatMap((name) => (attempts[name] ? [[name, attempts[name]] as const] : []));
  if ([...given.map(([, values]) => values), images, gpuModels].some((list) => list?.length === 0))
    return undefined;
  const attempt = Object.fromEntries(given.map(([name, values]) => [attemptFields[name], { $in: values }]));
  const pattern = text === undefined ? undefined : { $regex: literally(text), $options: 'i' };
  return {
    ...(given.length > 0 ? { attempts: { $elemMatch: attempt } } : {}),
    ...(images ? { 'payload.image': { $in: images } } : {}),
    ...(pattern ? { $or: [{ name: pattern }, { 'attempts.error.message': pattern }] } : {}),
    ...(gpuModels ? { 'gpu.model': { $in: gpuModels } } : {}),
  };
}

const attemptNames = Object.keys(attemptFields) as (keyof typeof attemptFields)[];

/** A pattern that matches the text itself. */
function literally(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&');
}

/**
 * The error of a filter without a condition that narrows.
 * @throws DomainError BAD_USER_INPUT
 */
export function assertNarrowed(
  criteria: SearchCriteria & { readonly states?: unknown; readonly createdFrom?: unknown },
): void {
  if (criteria.states ?? criteria.createdFrom) return;
  for (const name of [...searchFields, 'gpuModels'] as const)
    if (criteria[name] !== undefined)
      throw badInput(
        `filter.${name}`,
        criteria[name],
        'given together with ids, taskIds, owners, queues, shares, labels, states or createdFrom: no index has it',
      );
}
