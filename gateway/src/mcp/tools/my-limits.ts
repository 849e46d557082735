/** `my_limits`: what the caller may do here, and how much of it. */
import { permissionsOf, type Principal } from '@rhizome/authz';
import type { RateLimiter } from '../../policy/index.js';
import { textResult } from '../results/tool-result.js';
import { queryLimits } from './run-query.js';
import { readOnly, type Tool } from './tool.js';
import { watchLimits } from './watch-jobs.js';

/** The tool. */
export function myLimitsTool(rates: RateLimiter | undefined): Tool {
  return {
    definition: {
      name: 'my_limits',
      title: 'My limits',
      description: 'Shows who you are here, your experiments and rights, and the limits of tools and rates.',
      inputSchema: { type: 'object', properties: {}, additionalProperties: false },
      annotations: readOnly,
    },
    isFor: () => true,
    call: (_given, { principal }) =>
      Promise.resolve(
        textResult(
          JSON.stringify({
            caller: principal ? callerOf(principal) : 'everybody: authentication is disabled',
            runQuery: queryLimits,
            watchJobs: watchLimits,
            rate: principal && rates?.headers(principal, ''),
            changes: 'by proposals only; a person decides',
          }),
        ),
      ),
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
