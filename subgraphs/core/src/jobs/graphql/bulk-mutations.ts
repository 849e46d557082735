/** Inputs and payloads of bulk mutations in terms of the schema. */
import type { Principal } from '@rhizome/authz';
import { badInput } from '@rhizome/errors';
import type { Context } from '../../context.js';
import type { JobSelectionInput } from '../../types.generated.js';
import type { BulkAnswer } from '../bulk/bulk.service.js';
import type {
  BulkUserError,
  BulkKind,
  BulkParameters,
  BulkRefusalCode,
  BulkSelection,
} from '../bulk/bulk.types.js';

/** Common members of the inputs of all bulk mutations. */
interface BulkMutationInput {
  readonly selection: JobSelectionInput;
  readonly idempotencyKey?: string | null | undefined;
}

/** Errors of a kind of change: only a retry can name a queue. */
type UserErrorOf<K extends BulkKind> = Omit<BulkUserError, 'code'> & {
  readonly code: K extends 'RETRY'
    ? BulkUserError['code']
    : Exclude<BulkUserError['code'], 'QUEUE_NOT_FOUND'>;
};

/** Common members of the payloads of all bulk mutations. */
export interface BulkPayload<K extends BulkKind> {
  readonly result: BulkAnswer | null;
  readonly userErrors: readonly UserErrorOf<K>[];
}

/** Executes a bulk mutation. */
export async function changeJobs<K extends BulkKind>(
  { core, principal }: { readonly core: Context['core']; readonly principal: Principal },
  kind: K,
  { selection, idempotencyKey }: BulkMutationInput,
  parameters: BulkParameters,
): Promise<BulkPayload<K>> {
  const chosen = await selectionOf(core, selection);
  const result = await core.bulk.change(principal, kind, { selection: chosen, parameters, idempotencyKey });
  const [answer, userErrors] =
    'userErrors' in result ? [null, result.userErrors] : [result.answer, userErrorsOf(result.answer, chosen)];
  return { result: answer, userErrors: userErrors as readonly UserErrorOf<K>[] };
}

async function selectionOf(
  core: Context['core'],
  { ids, filter }: JobSelectionInput,
): Promise<BulkSelection> {
  if ((ids == null) === (filter == null))
    throw badInput('input.selection', { ids, filter }, 'either ids or a filter');
  return ids != null ? { ids } : { criteria: await core.jobs.criteria(filter) };
}

/** First 100 refused jobs, with their paths in the input. */
function userErrorsOf({ refusals }: BulkAnswer, selection: BulkSelection): readonly BulkUserError[] {
  if (!('ids' in selection))
    return refusals.map(({ code, message }) => ({ code, message, path: ['selection', 'filter'] }));
  const places = new Map<string, number>();
  selection.ids.forEach((id, position) => {
    if (!places.has(id)) places.set(id, position);
  });
  return refusals.map(({ code, message, jobId }) => ({
    code,
    message,
    path: ['selection', 'ids', String(places.get(jobId) ?? 0)],
  }));
}

/** Number of refused jobs by reason, in the form of the schema. */
export function refusalCounts(byReason: Readonly<Record<string, number>>) {
  return Object.entries(byReason).map(([code, count]) => ({ code: code as BulkRefusalCode, count }));
}
