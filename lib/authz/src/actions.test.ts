import { describe, expect, it } from '@jest/globals';
import { type Action, actionsOfRole, coreActions, defineActions, isAction, roles } from './actions.js';

describe('allActions', () => {
  it('has the form noun:verb and no duplicates', () => {
    for (const action of coreActions) expect(action).toMatch(/^[a-z][A-Za-z]*:([a-z][A-Za-z]*|\*)$/);
    expect(new Set(coreActions).size).toBe(coreActions.length);
  });

  it('is covered in full by ADMIN and by no other role', () => {
    // Experiments that are loaded in the same process add actions of their own.
    const coreActionsOf = (role: (typeof roles)[number]) =>
      coreActions.filter((action) => actionsOfRole(role).includes(action));
    expect(coreActionsOf('ADMIN')).toEqual(coreActions);
    for (const role of roles.filter((name) => name !== 'ADMIN'))
      expect(coreActionsOf(role).length).toBeLessThan(coreActions.length);
  });

  it('contains no write action of READER', () => {
    for (const action of actionsOfRole('READER')) expect(action).toMatch(/:read$/);
  });

  it('permits worker actions to PILOT and ADMIN only', () => {
    for (const action of ['worker:register', 'job:acquire', 'job:report', 'jobLog:append'] as const) {
      const allowed = roles.filter((role) => actionsOfRole(role).includes(action));
      expect(allowed).toEqual(['ADMIN', 'PILOT']);
    }
  });
});

describe('defineActions', () => {
  it('adds the actions to the named roles and to ADMIN', () => {
    const alpha = defineActions('alpha', { 'alphaRun:submit': ['PRODUCTION'], 'alphaRun:read': ['READER'] });
    const submit: Action = alpha['alphaRun:submit'];
    expect(isAction(submit)).toBe(true);
    expect(actionsOfRole('PRODUCTION')).toContain(submit);
    expect(actionsOfRole('ADMIN')).toContain(submit);
    expect(actionsOfRole('USER')).not.toContain(submit);
  });

  it('accepts an identical second definition and rejects a different one', () => {
    const define = (role: 'USER' | 'READER') => defineActions('beta', { 'betaRun:submit': [role] });
    define('USER');
    expect(() => define('USER')).not.toThrow();
    expect(() => define('READER')).toThrow(/already defined/);
  });

  it.each(['gammaRun', 'job:submit', 'gammaRun:', 'Gamma:read', 'otherRun:read'])(
    'rejects the name %s',
    (name) => {
      expect(() => defineActions('gamma', { [name]: ['USER'] })).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      );
    },
  );
});
