import { describe, expect, it } from '@jest/globals';
import { testPrincipal } from '@rhizome/testkit';
import { decisionFault, mayWithdraw, type ProposalFacts, sees, statusAt, visibleTo } from './visibility.js';

const now = new Date('2030-01-01T00:00:00Z');
const later = new Date(now.getTime() + 1);
const proposal: ProposalFacts = {
  ...{ agent: 'agent-1', person: 'ada@example', experiment: 'heron', isFourEyes: false },
  ...{ status: 'PROPOSED', expiresAt: later },
};
const human = (subject: string, grants: Parameters<typeof testPrincipal>[0] = {}) =>
  testPrincipal({ subject, grants: { heron: 'USER' }, ...grants });
const ada = human('ada@example');
const agentOf = (subject: string) =>
  testPrincipal({ kind: 'AGENT', subject, actsFor: 'ada@example', grants: 'ADMIN' });
const service = testPrincipal({ kind: 'SERVICE', subject: 'experiment:heron', grants: { heron: 'SERVICE' } });
const operator = human('olga@example', { grants: { heron: 'OPERATOR' } });
const elsewhere = human('oscar@example', { grants: { tern: 'OPERATOR' } });

describe('sees', () => {
  it('is true for the person, the agent that made it, and those with proposal:read', () => {
    for (const one of [ada, agentOf('agent-1'), operator, human('root@example', { grants: 'ADMIN' })])
      expect(sees(one, proposal)).toBe(true);
    for (const one of [human('uma@example'), agentOf('agent-2'), service, elsewhere])
      expect(sees(one, proposal)).toBe(false);
  });

  it('is false for tokens of the person that jobs hold, or that are limited to other actions', () => {
    const attempt = { jobId: 'job_1', attempt: 1, fence: 1 };
    const ofJob = { ...ada, attempt, actions: ['job:read'] };
    const narrow = { ...ada, actions: ['job:read'] };
    for (const one of [ofJob, narrow]) {
      expect(sees(one, proposal)).toBe(false);
      expect(visibleTo(one)).toEqual({ people: undefined, experiments: [] });
    }
    const reading = { ...ada, actions: ['proposal:read'] };
    expect(sees(reading, proposal)).toBe(true);
    expect(visibleTo(reading).people).toEqual(['ada@example']);
  });

  it('needs the permission in all experiments for a change of several', () => {
    const several = { ...proposal, experiment: null };
    expect(sees(operator, several)).toBe(false);
    expect(sees(human('root@example', { grants: 'ADMIN' }), several)).toBe(true);
  });
});

describe('decisionFault', () => {
  it('lets the person and those with proposal:decide decide, and no agent or service', () => {
    expect([ada, operator].map((one) => decisionFault(one, proposal))).toEqual([undefined, undefined]);
    for (const one of [agentOf('agent-1'), service, elsewhere, human('uma@example')])
      expect(decisionFault(one, proposal)).toBe('FORBIDDEN');
  });

  it('asks for another person where there are four eyes, whatever the roles of the first one', () => {
    const guarded = { ...proposal, isFourEyes: true };
    expect(decisionFault(human('ada@example', { grants: 'ADMIN' }), guarded)).toBe('FOUR_EYES_REQUIRED');
    expect(decisionFault(operator, guarded)).toBeUndefined();
  });

  it('refuses a person whose token is that of an agent in disguise', () => {
    const passed = testPrincipal({ subject: 'ada@example', actsFor: 'eve@example' });
    expect(decisionFault(passed, proposal)).toBe('FORBIDDEN');
  });
});

describe('mayWithdraw', () => {
  it('is true for the agent that made it, and for its person', () => {
    expect([ada, agentOf('agent-1')].map((one) => mayWithdraw(one, proposal))).toEqual([true, true]);
    expect([operator, agentOf('agent-2')].map((one) => mayWithdraw(one, proposal))).toEqual([false, false]);
  });
});

describe('statusAt', () => {
  it('is EXPIRED from the time at which the proposal expires, unless it was decided', () => {
    expect([now, later].map((at) => statusAt(proposal, at))).toEqual(['PROPOSED', 'EXPIRED']);
    expect(statusAt({ ...proposal, status: 'DENIED' }, later)).toBe('DENIED');
  });
});
