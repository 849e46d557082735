/** What bulk mutations take and answer, in the words of the schema. */
import type { Principal } from '@rhizome/authz';
import { badInput } from '@rhizome/errors';
import type { Context } from '../../context.js';
import type { JobSelectionInput } from '../../types.generated.js';
import type { BulkAnswer } from '../bulk/bulk.service.js';
import type {
  BulkFault,
  BulkKind,
  BulkParameters,
  BulkRefusalCode,
  BulkSelection,
} from '../bulk/bulk.types.js';

/** The parts that the inputs of all bulk mutations have. */
interface BulkMutationInput {
  readonly selection: JobSelectionInput;
  readonly idempotencyKey?: string | null | undefined;
}

/** The parts that the payloads of all bulk mutations have. */
export interface BulkPayload {
  readonly result: BulkAnswer | null;
  readonly userErrors: readonly BulkFault[];
}

/** Carries a bulk mutation out. */
export async function changeJobs(
  { core, principal }: { readonly core: Context['core']; readonly principal: Principal },
  kind: BulkKind,
  { selection, idempotencyKey }: BulkMutationInput,
  parameters: BulkParameters,
): Promise<BulkPayload> {
  const chosen = await selectionOf(core, selection);
  const result = await core.bulk.change(principal, kind, { selection: chosen, parameters, idempotencyKey });
  if ('faults' in result) return { result: null, userErrors: result.faults };
  return { result: result.answer, userErrors: faultsOf(result.answer, chosen) };
}

async function selectionOf(
  core: Context['core'],
  { ids, filter }: JobSelectionInput,
): Promise<BulkSelection> {
  if ((ids == null) === (filter == null))
    throw badInput('input.selection', { ids, filter }, 'either ids or a filter');
  return ids != null ? { ids } : { criteria: await core.jobs.criteria(filter) };
}

/** Jobs that were left alone, the first 100, with their places in the input. */
function faultsOf({ refusals }: BulkAnswer, selection: BulkSelection): readonly BulkFault[] {
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

/** Numbers of refused jobs by reason, as the schema has them. */
export function refusalCounts(byReason: Readonly<Record<string, number>>) {
  return Object.entries(byReason).map(([code, count]) => ({ code: code as BulkRefusalCode, count }));
}
