import { describe, expect, test } from '@jest/globals';
import type { Role } from './actions.js';
import { enforce, type Policy, type PolicyCall } from './policy.js';
import { createPrincipal } from './principal.js';

const call = (role: Role, experiment: string, args: unknown = {}): PolicyCall => ({
  principal: createPrincipal({
    kind: 'HUMAN',
    subject: 'somebody',
    grants: [{ experiment, roles: [role] }],
    expiresAt: new Date('2030-01-01T00:00:00Z'),
  }),
  args,
  context: {},
  parent: undefined,
});

/** Runs a policy the way a caller sees it: passes, or the code of the refusal. */
async function outcome(policy: Policy, policyCall: PolicyCall): Promise<string> {
  try {
    await enforce(policy, policyCall);
    return 'passes';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('a policy', () => {
  interface Args {
    readonly experiments: readonly string[];
  }
  const byArgs: Policy = {
    action: 'job:submit',
    experiment: ({ args }: PolicyCall<Args>) => args.experiments,
  };

  test('of an action without an experiment lets pass who has it anywhere', async () => {
    expect(await outcome({ action: 'job:read' }, call('READER', 'alpha'))).toBe('passes');
    expect(await outcome({ action: 'job:submit' }, call('READER', 'alpha'))).toBe('FORBIDDEN');
  });

  test('reads the experiments from the call and asks for all of them', async () => {
    expect(await outcome(byArgs, call('USER', 'alpha', { experiments: ['alpha'] }))).toBe('passes');
    expect(await outcome(byArgs, call('USER', 'alpha', { experiments: ['alpha', 'beta'] }))).toBe(
      'FORBIDDEN',
    );
    expect(await outcome(byArgs, call('USER', '*', { experiments: ['alpha', 'beta'] }))).toBe('passes');
  });

  test('may find the experiments out first', async () => {
    const policy: Policy = { action: 'job:cancel', experiment: async () => 'alpha' };
    expect(await outcome(policy, call('USER', 'alpha'))).toBe('passes');
    expect(await outcome(policy, call('USER', 'beta'))).toBe('FORBIDDEN');
  });

  test('of everywhere is not met by one experiment', async () => {
    const policy: Policy = { action: 'queue:create', experiment: '*' };
    expect(await outcome(policy, call('OPERATOR', 'alpha'))).toBe('FORBIDDEN');
    expect(await outcome(policy, call('OPERATOR', '*'))).toBe('passes');
  });

  test.each([true, false])(
    'asks for its action and for its rule, be the rule asynchronous or not',
    async (slow) => {
      const holds = (yes: boolean) => () => (slow ? Promise.resolve(yes) : yes);
      const policy = (yes: boolean): Policy => ({
        action: 'job:cancel',
        own: { rule: 'only their own', holds: holds(yes) },
      });
      expect(await outcome(policy(true), call('USER', 'alpha'))).toBe('passes');
      expect(await outcome(policy(false), call('USER', 'alpha'))).toBe('FORBIDDEN');
      expect(await outcome(policy(true), call('READER', 'alpha'))).toBe('FORBIDDEN');
    },
  );

  test('tells a refused caller the rule', () => {
    const policy: Policy = { own: { rule: 'a worker speaks for itself only', holds: () => false } };
    expect(() => enforce(policy, call('PILOT', '*'))).toThrow(/refused: a worker speaks for itself only/);
  });

  test('that is open lets everybody pass', async () => {
    expect(await outcome({ open: 'says who calls' }, call('READER', 'alpha'))).toBe('passes');
  });

  test('that fails to find out lets nobody pass', async () => {
    const policy: Policy = { action: 'job:read', experiment: () => Promise.reject(new Error('no database')) };
    await expect(async () => enforce(policy, call('ADMIN', '*'))).rejects.toThrow('no database');
  });
});
