import { describe, expect, it } from '@jest/globals';
import { createPrincipal } from '@rhizome/authz';
import { testPrincipal } from '@rhizome/testkit';
import { authorityFor, concernedOf, fitsScope } from './scope.js';

const all = { agent: null, person: null, experiment: null };
const agent = testPrincipal({ subject: 'agt', kind: 'AGENT', actsFor: 'ada', grants: { heron: 'USER' } });

describe('fitsScope', () => {
  it.each([
    [{}, true],
    [{ agent: 'agt', person: 'ada', experiment: 'heron' }, true],
    [{ agent: 'other' }, false],
    [{ person: 'eve' }, false],
    [{ experiment: 'egret' }, false],
    [{ agent: 'agt', person: 'eve' }, false],
  ])('compares every field that is given: %j', (scope, isConcerned) => {
    const concerned = concernedOf(agent);
    expect(concerned && fitsScope(concerned, { ...all, ...scope })).toBe(isConcerned);
  });

  it('takes an agent with rights in all experiments for one of each', () => {
    const wide = concernedOf(
      testPrincipal({ subject: 'agt', kind: 'AGENT', actsFor: 'ada', grants: { '*': 'USER' } }),
    );
    expect(wide && fitsScope(wide, { ...all, experiment: 'egret' })).toBe(true);
  });

  it('takes an agent for one of its experiments, whatever actions its token is limited to', () => {
    const narrow = createPrincipal({
      ...{ ...agent, actions: ['job:submit'] },
      boundedBy: [{ experiment: '*', roles: ['USER'] }],
    });
    expect(concernedOf(narrow)?.experiments).toEqual(['heron']);
  });

  it('leaves out experiments in which the person of the agent has no role', () => {
    const bounded = createPrincipal({ ...agent, boundedBy: [{ experiment: 'egret', roles: ['USER'] }] });
    expect(concernedOf(bounded)?.experiments).toEqual([]);
  });
});

describe('authorityFor', () => {
  const person = testPrincipal({ subject: 'ada', grants: { heron: 'ADMIN' } });

  it.each([
    [{ person: 'ada' }, 'PERSON'],
    [{ experiment: 'heron' }, 'EXPERIMENT'],
    [{ person: 'eve', experiment: 'heron' }, 'EXPERIMENT'],
    [{ person: 'ada', experiment: 'egret' }, 'PERSON'],
    [{ person: 'eve' }, undefined],
    [{ experiment: 'egret' }, undefined],
    [{}, undefined],
  ])('returns, for %j, %s', (scope, authority) => {
    expect(authorityFor(person, { ...all, ...scope })).toBe(authority);
  });

  it('is that of the installation for administrators of all experiments', () => {
    expect(authorityFor(testPrincipal({ subject: 'root', grants: { '*': 'ADMIN' } }), all)).toBe(
      'INSTALLATION',
    );
  });

  it('is none for agents', () => {
    expect(authorityFor(agent, { person: 'ada', experiment: null })).toBeUndefined();
  });
});
