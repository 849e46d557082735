/** Checks a change by a dry run of its mutation. */
import type { Principal } from '@rhizome/authz';
import { type BorrowEngine, executeOwn } from '../own-operation.js';
import type { FrozenChange } from './freeze.js';
import { answerOf } from './graph-reads.js';

/** Result of a dry run. */
export interface DryRun {
  /** The payload of the mutation. */
  readonly payload: Readonly<Record<string, unknown>> | null;
  /** Reasons for which the change cannot run; empty if it can. */
  readonly refusals: readonly { readonly code: string | null; readonly message: string }[];
}

const dryRunMs = 15_000;

/** Runs the mutation with `isDryRun: true`, as the person of the proposal. */
export async function runDry(
  borrow: BorrowEngine,
  principal: Principal,
  { mutation, operation: query, input }: FrozenChange,
): Promise<DryRun> {
  const variables = { input: { ...input, isDryRun: true } };
  const signal = AbortSignal.timeout(dryRunMs);
  const { text } = await executeOwn(borrow, { query, variables, principal, signal });
  const { data, errors } = answerOf(text);
  const payload = (data?.[mutation] ?? null) as DryRun['payload'];
  return { payload, refusals: [...errors, ...userErrorsOf(payload)] };
}

/** The `userErrors` of a payload, at most 20. */
export function userErrorsOf(
  payload: Readonly<Record<string, unknown>> | null,
): readonly { readonly code: string | null; readonly message: string }[] {
  const found = payload?.['userErrors'];
  if (!Array.isArray(found)) return [];
  return (found as readonly { readonly code?: unknown; readonly message?: unknown }[])
    .slice(0, 20)
    .map(({ code, message }) => ({
      code: typeof code === 'string' ? code : null,
      message: String(message).slice(0, 2000),
    }));
}
