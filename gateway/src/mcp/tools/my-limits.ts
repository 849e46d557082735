/** `my_limits`: what the caller may do here, and how much of it. */
import type { BudgetState, CallerLimits } from '@rhizome/agents';
import { permissionsOf, type Principal } from '@rhizome/authz';
import type { RateLimiter } from '../../policy/index.js';
import { textResult } from '../results/tool-result.js';
import { queryLimits } from './run-query.js';
import { readOnly, type Tool } from './tool.js';
import { watchLimits } from './watch-jobs.js';

/** Name of the tool, whose calls do not count. */
export const myLimitsName = 'my_limits';

/** Stops and budgets of a caller; undefined in a gateway without a store for them. */
export type LimitsOf = (principal: Principal) => Promise<CallerLimits | undefined>;

/** The tool. */
export function myLimitsTool(rates: RateLimiter | undefined, limitsOf: LimitsOf): Tool {
  return {
    definition: {
      name: myLimitsName,
      title: 'My limits',
      description: 'Shows who you are here, your experiments and rights, and the limits of tools and rates.',
      inputSchema: { type: 'object', properties: {}, additionalProperties: false },
      annotations: readOnly,
    },
    isFor: () => true,
    call: async (_given, { principal }) => {
      const limits = principal && (await limitsOf(principal));
      return textResult(
        JSON.stringify({
          caller: principal ? callerOf(principal) : 'everybody: authentication is disabled',
          runQuery: queryLimits,
          watchJobs: watchLimits,
          rate: principal && rates?.headers(principal, ''),
          budgets: limits?.budgets.map(budgetLine),
          changes: 'by proposals only; a person decides',
        }),
      );
    },
  };
}

function budgetLine({ budget, spent, window }: BudgetState): object {
  const { unit, limit, softLimit } = budget;
  return {
    ...{ unit, window: budget.window, limit, spent, resetsAt: window.end },
    ...(softLimit !== null && { softLimit, isSoftLimitReached: spent >= softLimit }),
  };
}

function callerOf(principal: Principal): object {
  const { kind, subject, actsFor, expiresAt } = principal;
  const rights = new Map<string, string[]>();
  for (const [action, scope] of permissionsOf(principal)) {
    const where = scope === '*' ? '*' : [...scope].sort().join(' ');
    rights.set(where, [...(rights.get(where) ?? []), action]);
  }
  return { kind, subject, actsFor, tokenEndsAt: expiresAt, rights: Object.fromEntries(rights) };
}
