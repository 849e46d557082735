/** Pure checks of inputs about hosts. */
import type { InputErrors } from '@rhizome/errors';
import type { HostPin } from './host.document.js';

type Maybe<T> = T | null | undefined;

/** Codes with which a change of a host is refused. */
export type HostProblemCode = 'QUEUE_NOT_FOUND' | 'REVISION_CONFLICT';

/** A host of a queue by name. */
export interface HostRef {
  readonly queue: string;
  readonly host: string;
}

/** A host to exclude. */
export interface ExcludeHost extends HostRef {
  readonly reason: string;
  readonly until?: Maybe<Date>;
  readonly isDryRun?: Maybe<boolean>;
}

/** A host to keep in or out. */
export interface PinHost extends ExcludeHost {
  readonly to: HostPin;
}

/** A host whose exclusion and pin end. */
export interface ClearHost extends HostRef {
  readonly isDryRun?: Maybe<boolean>;
}

const longestMs = 400 * 86_400_000;

/** Checks the name of a host. */
export function checkHost(errors: InputErrors<HostProblemCode>, { host }: HostRef): void {
  errors.text(['host'], host, 1, 255);
}

/** Checks a decision about a host. */
export function checkDecision(
  errors: InputErrors<HostProblemCode>,
  { reason, until }: Pick<ExcludeHost, 'reason' | 'until'>,
  now: Date,
): void {
  errors.text(['reason'], reason, 1, 500);
  if (!until) return;
  if (until <= now) errors.add(['until'], until, 'a time in the future');
  else if (until.getTime() - now.getTime() > longestMs)
    errors.add(['until'], until, 'at most 400 days from now');
}
