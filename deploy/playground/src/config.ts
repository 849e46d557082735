/** What the playground takes from its environment: what the processes that it starts inherit, where an own store is, how subgraphs run. */
import { DomainError } from '@rhizome/errors';
import type { ExecutionMode } from '@rhizome/subgraph';

/** The environment of a child: this process's own, without settings meant for other services of the house, and what is given. */
export function childEnvironment(given: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('RHIZOME_'));
  return { ...Object.fromEntries(inherited), ...given };
}

/** Whether the store is one that is run elsewhere, which `lib/mongo` then connects to. */
export function hasStoreElsewhere(): boolean {
  return Boolean(process.env['MONGODB_URI']);
}

const executionVariable = 'RHIZOME_PLAYGROUND_EXECUTION';

/**
 * How subgraphs run their operations: `jit` (compiled to code, the default), or `interpreted` by graphql-js alone, to find out whether
 * a surprise is the compiler's. Throws CONFIG_INVALID for another word.
 */
export function executionMode(): ExecutionMode {
  const value = process.env[executionVariable] ?? 'jit';
  if (value === 'jit' || value === 'interpreted') return value;
  throw new DomainError(
    'CONFIG_INVALID',
    `${executionVariable} is ${JSON.stringify(value)}; expected jit or interpreted`,
    {
      field: executionVariable,
      value,
      expected: 'jit or interpreted',
    },
  );
}
