/** Settings from the environment, and the environment of child processes. */
import { DomainError } from '@rhizome/errors';
import type { ExecutionMode } from '@rhizome/subgraph';

/**
 * Environment of a child process: inherited, without settings for Rhizome services, plus the given variables.
 */
export function childEnvironment(given: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('RHIZOME_'));
  return { ...Object.fromEntries(inherited), ...given };
}

/** True if `lib/mongo` will connect to an external store instead of starting one. */
export function hasStoreElsewhere(): boolean {
  return Boolean(process.env['MONGODB_URI']);
}

const executionVariable = 'RHIZOME_PLAYGROUND_EXECUTION';

/**
 * How subgraphs run their operations: `jit` (compiled, the default) or `interpreted` by graphql-js, to find
 * out whether the compiler causes a problem.
 * @throws DomainError CONFIG_INVALID for another value
 */
export function executionMode(): ExecutionMode {
  const value = process.env[executionVariable] ?? 'jit';
  if (value === 'jit' || value === 'interpreted') return value;
  throw new DomainError(
    'CONFIG_INVALID',
    `${executionVariable}: ${JSON.stringify(value)} is unknown; must be jit or interpreted`,
    {
      field: executionVariable,
      value,
      expected: 'jit or interpreted',
    },
  );
}

/** False if `RHIZOME_PLAYGROUND_AUDIT` is `off`: then the gateway records nothing, for measurements. */
export function isAuditOn(): boolean {
  return process.env['RHIZOME_PLAYGROUND_AUDIT'] !== 'off';
}
