import { describe, expect, test } from '@jest/globals';
import { type Action, actionsOfRole, coreActions, defineActions, isAction, roles } from './actions.js';

describe('the list of actions', () => {
  test('is of the form noun:verb and has no action twice', () => {
    for (const action of coreActions) expect(action).toMatch(/^[a-z][A-Za-z]*:([a-z][A-Za-z]*|\*)$/);
    expect(new Set(coreActions).size).toBe(coreActions.length);
  });

  test('is covered by ADMIN in full and by no other role', () => {
    expect(new Set(actionsOfRole('ADMIN'))).toEqual(new Set(coreActions));
    for (const role of roles.filter((name) => name !== 'ADMIN')) {
      expect(actionsOfRole(role).length).toBeLessThan(coreActions.length);
    }
  });

  test('lets READER change nothing', () => {
    for (const action of actionsOfRole('READER')) expect(action).toMatch(/:read$/);
  });

  test('gives nobody but PILOT and ADMIN what workers do', () => {
    for (const action of ['worker:register', 'job:acquire', 'job:report', 'jobLog:append'] as const) {
      const allowed = roles.filter((role) => actionsOfRole(role).includes(action));
      expect(allowed).toEqual(['ADMIN', 'PILOT']);
    }
  });
});

describe('actions of an experiment', () => {
  test('join the list for the roles named and for ADMIN', () => {
    const alpha = defineActions('alpha', { 'alphaRun:submit': ['PRODUCTION'], 'alphaRun:read': ['READER'] });
    const submit: Action = alpha['alphaRun:submit'];
    expect(isAction(submit)).toBe(true);
    expect(actionsOfRole('PRODUCTION')).toContain(submit);
    expect(actionsOfRole('ADMIN')).toContain(submit);
    expect(actionsOfRole('USER')).not.toContain(submit);
  });

  test('may be defined again alike, but not otherwise', () => {
    const define = (role: 'USER' | 'READER') => defineActions('beta', { 'betaRun:submit': [role] });
    define('USER');
    expect(() => define('USER')).not.toThrow();
    expect(() => define('READER')).toThrow(/already defined/);
  });

  test.each(['gammaRun', 'job:submit', 'gammaRun:', 'Gamma:read', 'otherRun:read'])(
    'refuse the name %s',
    (name) => {
      expect(() => defineActions('gamma', { [name]: ['USER'] })).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      );
    },
  );
});
