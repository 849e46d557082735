import { describe, expect, it } from '@jest/globals';
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

describe('policy', () => {
  interface Args {
    readonly experiments: readonly string[];
  }
  const byArgs: Policy = {
    action: 'job:submit',
    experiment: ({ args }: PolicyCall<Args>) => args.experiments,
  };

  it('permits an action without an experiment to a principal that has it in any experiment', async () => {
    expect(await outcome({ action: 'job:read' }, call('READER', 'alpha'))).toBe('passes');
    expect(await outcome({ action: 'job:submit' }, call('READER', 'alpha'))).toBe('FORBIDDEN');
  });

  it('reads the experiments from the call and requires all of them', async () => {
    expect(await outcome(byArgs, call('USER', 'alpha', { experiments: ['alpha'] }))).toBe('passes');
    expect(await outcome(byArgs, call('USER', 'alpha', { experiments: ['alpha', 'beta'] }))).toBe(
      'FORBIDDEN',
    );
    expect(await outcome(byArgs, call('USER', '*', { experiments: ['alpha', 'beta'] }))).toBe('passes');
  });

  it('resolves the experiments first if it must', async () => {
    const policy: Policy = { action: 'job:cancel', experiment: async () => 'alpha' };
    expect(await outcome(policy, call('USER', 'alpha'))).toBe('passes');
    expect(await outcome(policy, call('USER', 'beta'))).toBe('FORBIDDEN');
  });

  it('requires a global grant where it says so', async () => {
    const policy: Policy = { action: 'queue:create', experiment: '*' };
    expect(await outcome(policy, call('OPERATOR', 'alpha'))).toBe('FORBIDDEN');
    expect(await outcome(policy, call('OPERATOR', '*'))).toBe('passes');
  });

  it.each([true, false])('checks its action and then its rule, synchronous or asynchronous', async (slow) => {
    const holds = (yes: boolean) => () => (slow ? Promise.resolve(yes) : yes);
    const policy = (yes: boolean): Policy => ({
      action: 'job:cancel',
      own: { rule: 'only their own', holds: holds(yes) },
    });
    expect(await outcome(policy(true), call('USER', 'alpha'))).toBe('passes');
    expect(await outcome(policy(false), call('USER', 'alpha'))).toBe('FORBIDDEN');
    expect(await outcome(policy(true), call('READER', 'alpha'))).toBe('FORBIDDEN');
  });

  it('names the rule in the error', () => {
    const policy: Policy = { own: { rule: 'a worker speaks for itself only', holds: () => false } };
    expect(() => enforce(policy, call('PILOT', '*'))).toThrow(/refused: a worker speaks for itself only/);
  });

  it('permits everybody if it is open', async () => {
    expect(await outcome({ open: 'says who calls' }, call('READER', 'alpha'))).toBe('passes');
  });

  it('permits nobody if it cannot resolve the experiments', async () => {
    const policy: Policy = { action: 'job:read', experiment: () => Promise.reject(new Error('no database')) };
    await expect(async () => enforce(policy, call('ADMIN', '*'))).rejects.toThrow('no database');
  });
});
