/** Limits on the lists of a filter of jobs, for queries, streams and bulk mutations. */
import { badInput } from '@rhizome/errors';
import { assertSearchSize } from './job-search.js';

const limits = {
  ids: 1000,
  taskIds: 100,
  owners: 100,
  queues: 100,
  shares: 100,
  labels: 32,
  gpuModels: 100,
  images: 100,
} as const;

/** The lists of a filter that are limited. */
export type LimitedLists = { readonly [K in keyof typeof limits]?: readonly unknown[] | null | undefined };

/** @throws DomainError BAD_USER_INPUT naming the list that is too long */
export function assertFilterSize(
  filter: (LimitedLists & Parameters<typeof assertSearchSize>[0]) | null | undefined,
): void {
  assertSearchSize(filter ?? {});
  for (const [name, most] of Object.entries(limits)) {
    const count = filter?.[name as keyof LimitedLists]?.length ?? 0;
    if (count > most) throw badInput(`filter.${name}`, `${count} values`, `at most ${most}`);
  }
}
