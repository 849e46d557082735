/** Experiments whose objects a caller may read, as a read of the store needs them. */
import { experimentsFor, type CoreAction, type Principal } from '@rhizome/authz';

declare const visibility: unique symbol;

/** Limit of a read; only {@link visibilityOf} makes one, so that a read for a caller names its rights. */
export interface Visibility {
  readonly experiments: '*' | readonly string[];
  readonly [visibility]: true;
}

/** Limit of the reads of a principal by an action. */
export function visibilityOf(principal: Principal, action: CoreAction): Visibility {
  return { experiments: experimentsFor(principal, action) } as Visibility;
}

/** The condition of a query; a caller without rights reads nothing, by the same index. */
export function visibleIn({ experiments }: Visibility): { experiment?: { $in: string[] } } {
  return experiments === '*' ? {} : { experiment: { $in: [...experiments] } };
}
