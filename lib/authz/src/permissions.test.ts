import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type Action,
  actionsOfRole,
  coreActions,
  defineActions,
  type Role,
  roles as allRoles,
} from './actions.js';
import { assertCan, authorisationScope, can, experimentsFor, permissionsOf } from './permissions.js';
import { createPrincipal, createSharedPrincipal, type Grant, type PrincipalKind } from './principal.js';

const grant = (experiment: string, ...roles: Role[]): Grant => ({ experiment, roles });
const principal = (kind: PrincipalKind, ...grants: Grant[]) =>
  createPrincipal({
    kind,
    subject: 'somebody',
    grants,
    expiresAt: new Date('2030-01-01T00:00:00Z'),
    ...(kind === 'AGENT' ? { actsFor: 'a human', boundedBy: [grant('*', 'ADMIN')] } : {}),
  });

describe('can', () => {
  it('permits actions in the experiments of the grant only', () => {
    const user = principal('HUMAN', grant('alpha', 'USER'), grant('beta', 'READER'));
    expect(can(user, 'job:submit', 'alpha')).toBe(true);
    expect(can(user, 'job:submit', 'beta')).toBe(false);
    expect(can(user, 'job:submit', '*')).toBe(false);
    expect(can(user, 'job:submit')).toBe(true);
    expect(can(user, 'queue:create')).toBe(false);
  });

  it('combines all roles and grants of one experiment', () => {
    const user = principal('HUMAN', grant('alpha', 'READER'), grant('alpha', 'USER'), grant('beta', 'USER'));
    expect(experimentsFor(user, 'job:submit')).toEqual(['alpha', 'beta']);
    expect(experimentsFor(user, 'queue:create')).toEqual([]);
  });

  it('gives global grants precedence over grants of one experiment, in any order', () => {
    const grants = [grant('alpha', 'USER'), grant('*', 'USER')];
    for (const order of [grants, [...grants].reverse()]) {
      const user = principal('HUMAN', ...order);
      expect(experimentsFor(user, 'job:submit')).toBe('*');
      expect(can(user, 'job:submit', 'anything')).toBe(true);
    }
  });

  it('permits an agent only the read actions of its grants', () => {
    const agent = principal('AGENT', grant('*', 'ADMIN'));
    expect(can(agent, 'job:read', 'alpha')).toBe(true);
    expect([...permissionsOf(agent).keys()].filter((action) => !action.endsWith(':read'))).toEqual([]);
  });

  it('permits an agent what both it and its human may, and nothing without its human', () => {
    const agent = (grants: Grant[], boundedBy?: Grant[]) =>
      createPrincipal({
        ...{ kind: 'AGENT', subject: 'bot', actsFor: 'a human', grants, boundedBy },
        expiresAt: new Date('2030-01-01T00:00:00Z'),
      });
    const own = [grant('alpha', 'ADMIN'), grant('beta', 'READER')];
    expect(experimentsFor(agent(own, [grant('beta', 'USER'), grant('gamma', 'ADMIN')]), 'job:read')).toEqual([
      'beta',
    ]);
    expect(experimentsFor(agent([grant('*', 'READER')], [grant('beta', 'USER')]), 'job:read')).toEqual([
      'beta',
    ]);
    expect(experimentsFor(agent(own, [grant('*', 'READER')]), 'job:read')).toEqual(['alpha', 'beta']);
    // Roles of both count, not only experiments.
    expect(can(agent(own, [grant('alpha', 'USER')]), 'subgraph:read', 'alpha')).toBe(false);
    for (const bound of [undefined, []]) expect(permissionsOf(agent(own, bound)).size).toBe(0);
    expect(authorisationScope(agent(own, own))).not.toBe(authorisationScope(agent(own, [])));
  });

  it('permits an agent no more than its human, whatever either is granted', () => {
    const grants = fc.array(
      fc.record({
        experiment: fc.constantFrom('*', 'alpha', 'beta', 'gamma'),
        roles: fc.subarray([...allRoles], { minLength: 1, maxLength: 3 }),
      }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(grants, grants, (own, humans) => {
        const agent = createPrincipal({
          ...{ kind: 'AGENT', subject: 'bot', actsFor: 'a human', grants: own, boundedBy: humans },
          expiresAt: new Date('2030-01-01T00:00:00Z'),
        });
        const human = principal('HUMAN', ...humans);
        for (const action of coreActions)
          for (const experiment of ['*', 'alpha', 'beta', 'delta'])
            if (can(agent, action, experiment)) expect(can(human, action, experiment)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('permits a pilot only pilot actions, whatever its roles', () => {
    const pilot = principal('PILOT', grant('*', 'ADMIN'), grant('alpha', 'PRODUCTION'));
    expect([...permissionsOf(pilot).keys()].sort()).toEqual([...actionsOfRole('PILOT')].sort());
    expect(can(pilot, 'job:report', 'alpha')).toBe(true);
    for (const action of ['job:cancel', 'job:submit', 'job:manageAny', 'queue:create', 'admin:*'] as const)
      expect(can(pilot, action)).toBe(false);
    expect(experimentsFor(principal('PILOT', grant('alpha', 'USER')), 'job:read')).toEqual(['alpha']);
  });

  it('includes actions that were defined after the first check of the principal', () => {
    const user = principal('HUMAN', grant('alpha', 'USER'));
    expect(can(user, 'job:read', 'alpha')).toBe(true);
    const actions = defineActions('delta', { 'deltaRun:submit': ['USER'] });
    expect(can(user, actions['deltaRun:submit'], 'alpha')).toBe(true);
  });

  it('names the subject, the action and the experiment in the error', () => {
    const reader = principal('HUMAN', grant('alpha', 'READER'));
    expect(() => assertCan(reader, 'job:submit', 'alpha')).toThrow(
      expect.objectContaining({
        code: 'FORBIDDEN',
        message: 'HUMAN "somebody" may not job:submit in "alpha"',
        details: expect.objectContaining({ action: 'job:submit', experiment: 'alpha' }),
      }),
    );
  });

  it('throws an internal error for an undefined action', () => {
    const admin = principal('HUMAN', grant('*', 'ADMIN'));
    expect(() => can(admin, 'job:paint' as unknown as Action)).toThrow(/not in the list of actions/);
  });
});

describe('authorisation scope', () => {
  const scope = (kind: PrincipalKind, ...grants: Grant[]) => authorisationScope(principal(kind, ...grants));

  it('equals that of the same grants in another order or repeated', () => {
    expect(scope('HUMAN', grant('alpha', 'USER', 'READER'), grant('beta', 'READER'))).toBe(
      scope('HUMAN', grant('beta', 'READER'), grant('alpha', 'READER'), grant('alpha', 'USER', 'USER')),
    );
  });

  it('differs by kind, role and experiment', () => {
    const scopes = [
      scope('HUMAN', grant('alpha', 'USER')),
      scope('SERVICE', grant('alpha', 'USER')),
      scope('HUMAN', grant('beta', 'USER')),
      scope('HUMAN', grant('alpha', 'READER')),
      scope('HUMAN', grant('*', 'USER')),
      scope('HUMAN'),
    ];
    expect(new Set(scopes).size).toBe(scopes.length);
  });

  it('resists forgery through the name of an experiment', () => {
    expect(scope('HUMAN', grant('alpha":USER "beta', 'USER'))).not.toBe(
      scope('HUMAN', grant('alpha', 'USER'), grant('beta', 'USER')),
    );
  });
});

describe('principal', () => {
  it('derives the queue of a pilot and the experiment of a service from its subject', () => {
    const expiresAt = new Date('2030-01-01T00:00:00Z');
    const pilot = createPrincipal({ kind: 'PILOT', subject: 'pilot:main', grants: [], expiresAt });
    const service = createPrincipal({ kind: 'SERVICE', subject: 'experiment:alpha', grants: [], expiresAt });
    const human = createPrincipal({ kind: 'HUMAN', subject: 'pilot:main', grants: [], expiresAt });
    expect([pilot.queue, pilot.service]).toEqual(['main', undefined]);
    expect([service.queue, service.service]).toEqual([undefined, 'alpha']);
    expect(human.queue).toBeUndefined();
  });

  it('keeps its token out of copies and logs', () => {
    const expiresAt = new Date('2030-01-01T00:00:00Z');
    const human = createPrincipal({ kind: 'HUMAN', subject: 'a', grants: [], expiresAt, token: 'secret' });
    expect(human.token).toBe('secret');
    expect(JSON.stringify(human)).not.toContain('secret');
    expect({ ...human }).not.toHaveProperty('token');
  });

  it('has no subject where a read is shared, and the rights of its scope', () => {
    const expiresAt = new Date('2030-01-01T00:00:00Z');
    const shared = createSharedPrincipal({ kind: 'HUMAN', grants: [grant('alpha', 'READER')], expiresAt });
    expect(() => shared.subject).toThrow(/@perPrincipal/);
    expect(can(shared, 'job:read', 'alpha')).toBe(true);
    expect(JSON.parse(JSON.stringify(shared))).not.toHaveProperty('subject');
    expect(() => assertCan(shared, 'job:submit', 'alpha')).toThrow(
      'A HUMAN with these rights may not job:submit',
    );
  });
});
