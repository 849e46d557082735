/** Pure checks of inputs about downtimes. */
import { type InputErrors, type InputPath } from '@rhizome/errors';
import { checkKey } from '../../shared/idempotency.js';

type Maybe<T> = T | null | undefined;

/** Codes with which a change of downtimes is refused. */
export type DowntimeProblemCode =
  | 'QUEUE_NOT_FOUND'
  | 'SITE_NOT_FOUND'
  | 'DOWNTIME_NOT_FOUND'
  | 'DOWNTIME_OVER'
  | 'REVISION_CONFLICT'
  | 'IDEMPOTENCY_KEY_REUSED';

/** Queue or site by name; GraphQL admits exactly one member (`@oneOf`). */
export interface TargetInput {
  readonly queue?: Maybe<string>;
  readonly site?: Maybe<string>;
}

/** Window as given. */
export interface WindowInput {
  readonly startsAt: Date;
  readonly endsAt: Date;
  readonly reason: string;
}

/** Downtime to declare. */
export interface DeclareDowntime extends WindowInput {
  readonly target: TargetInput;
  readonly idempotencyKey?: Maybe<string>;
  readonly isDryRun?: Maybe<boolean>;
}

/** Changes of a downtime; absent or null members are not changed. */
export interface ChangeDowntime {
  readonly id: string;
  readonly startsAt?: Maybe<Date>;
  readonly endsAt?: Maybe<Date>;
  readonly reason?: Maybe<string>;
  readonly expectedRevision?: Maybe<number>;
  readonly isDryRun?: Maybe<boolean>;
}

/** A downtime of an imported list. */
export interface ImportedDowntime extends WindowInput {
  readonly sourceId: string;
  readonly target: TargetInput;
}

/** A list of downtimes of another system. */
export interface ImportDowntimes {
  readonly source: string;
  readonly downtimes: readonly ImportedDowntime[];
  readonly isDryRun?: Maybe<boolean>;
}

/** Most downtimes of one list. */
const longestList = 1000;
const longestMs = 400 * 86_400_000;

/** Checks a downtime to declare. */
export function checkDeclare(
  errors: InputErrors<DowntimeProblemCode>,
  input: DeclareDowntime,
  now: Date,
): void {
  checkWindow(errors, [], input);
  if (errors.isEmpty && input.endsAt <= now) errors.add(['endsAt'], input.endsAt, 'a time in the future');
  checkKey(errors, input.idempotencyKey);
}

/** Checks an imported list. Entries may be over. */
export function checkImport(
  errors: InputErrors<DowntimeProblemCode>,
  { source, downtimes }: ImportDowntimes,
): void {
  errors.form(
    ['source'],
    source,
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    '1 to 63 letters, digits, ".", "_" or "-", beginning with a letter or digit',
  );
  errors.list(['downtimes'], downtimes, longestList);
  const seen = new Set<string>();
  downtimes.slice(0, longestList).forEach((entry, index) => {
    const { sourceId } = entry;
    errors.text(['downtimes', index, 'sourceId'], sourceId, 1, 128);
    if (seen.has(sourceId))
      errors.add(['downtimes', index, 'sourceId'], sourceId, 'different from the others');
    seen.add(sourceId);
    checkWindow(errors, ['downtimes', index], entry);
  });
}

/** Checks a window: it has a length, and is not endless. */
export function checkWindow(
  errors: InputErrors<DowntimeProblemCode>,
  path: InputPath,
  { startsAt, endsAt, reason }: WindowInput,
): void {
  errors.text([...path, 'reason'], reason, 1, 500);
  if (endsAt <= startsAt) errors.add([...path, 'endsAt'], endsAt, 'later than startsAt');
  else if (endsAt.getTime() - startsAt.getTime() > longestMs)
    errors.add([...path, 'endsAt'], endsAt, 'at most 400 days after startsAt');
}
