/** Limits on the lists of a filter of jobs, for queries, streams and bulk mutations. */
import { badInput } from '@rhizome/errors';

const limits = {
  ids: 1000,
  taskIds: 100,
  owners: 100,
  queues: 100,
  shares: 100,
  labels: 32,
  gpuModels: 100,
} as const;

/** The lists of a filter that are limited. */
export type LimitedLists = { readonly [K in keyof typeof limits]?: readonly unknown[] | null | undefined };

/** @throws DomainError BAD_USER_INPUT naming the list that is too long */
export function assertFilterSize(filter: LimitedLists | null | undefined): void {
  for (const [name, most] of Object.entries(limits)) {
    const count = filter?.[name as keyof LimitedLists]?.length ?? 0;
    if (count > most) throw badInput(`filter.${name}`, `${count} values`, `at most ${most}`);
  }
}
