import { describe, expect, it } from '@jest/globals';
import { limitedTo } from './current-rights.js';
import { can } from './permissions.js';
import { createPrincipal, type Grant, never, owns } from './principal.js';
import { readRightsAnswer, writeRightsAnswer } from './rights-endpoint.js';

const until = new Date('2026-01-01T01:00:00Z');
const before = new Date(until.getTime() - 1);
const own: readonly Grant[] = [{ experiment: 'heron', roles: ['USER'] }];
const taken: readonly Grant[] = [{ experiment: 'heron', roles: ['PRODUCTION'] }];
const elevated = createPrincipal({
  kind: 'HUMAN',
  subject: 'ann',
  grants: [{ experiment: 'heron', roles: ['PRODUCTION', 'USER'] }],
  elevation: { id: 'elv_1', experiment: 'heron', roles: ['PRODUCTION'], until },
  expiresAt: never,
});
const { elevation: _, ...unelevated } = elevated;
const plain = createPrincipal(unelevated);

describe('limitedTo', () => {
  it.each<[string, typeof plain, Parameters<typeof limitedTo>[1], Date, boolean]>([
    ['counts roles of an elevation that are ready', elevated, { grants: own, ready: taken }, before, true],
    [
      'counts those that are ready in all experiments',
      elevated,
      { grants: own, ready: [{ experiment: '*', roles: ['PRODUCTION'] }] },
      before,
      true,
    ],
    ['counts none after its end', elevated, { grants: own, ready: taken }, until, false],
    ['counts none that is not ready', elevated, { grants: own, ready: [] }, before, false],
    [
      'counts none that is ready in another experiment',
      elevated,
      { grants: own, ready: [{ experiment: 'egret', roles: ['PRODUCTION'] }] },
      before,
      false,
    ],
    ['counts no ready role of another token', plain, { grants: own, ready: taken }, before, false],
    ['counts those of the token without a directory', elevated, { grants: undefined }, before, true],
    ['counts them until the end without a directory', elevated, { grants: undefined }, until, false],
  ])('limits a principal: %s', (_name, principal, rights, now, isAllowed) => {
    const limited = limitedTo(principal, rights, now);
    expect(can(limited, 'job:manageAny', 'heron')).toBe(isAllowed);
    expect(can(limited, 'job:submit', 'heron')).toBe(true);
  });

  it('names the groups of now, and none of an agent or after the last one has ended', () => {
    const groups = ['grp_1', 'grp_2'];
    const member = limitedTo(plain, { grants: own, groups }, before);
    expect(member.groups).toEqual(groups);
    expect(limitedTo(member, { grants: own, groups: [] }, before).groups).toBeUndefined();
    expect(limitedTo(member, { grants: undefined }, before).groups).toEqual(groups);
    const agent = createPrincipal({ ...plain, kind: 'AGENT', actsFor: 'ann', boundedBy: own });
    expect(limitedTo(agent, { grants: own, groups }, before).groups).toBeUndefined();
  });

  it('names the linked identities of now, and none of an agent or an attempt', () => {
    const linked = ['usr_2'];
    const person = limitedTo(plain, { grants: own, linked }, before);
    expect(owns(person, 'usr_2') && owns(person, person.subject)).toBe(true);
    expect(owns(person, 'usr_3') || owns(person, null)).toBe(false);
    expect(limitedTo(person, { grants: own }, before).linked).toBeUndefined();
    const agent = createPrincipal({ ...plain, kind: 'AGENT', actsFor: 'ann', boundedBy: own });
    expect(limitedTo(agent, { grants: own, linked }, before).linked).toBeUndefined();
    const attempt = { jobId: 'job_1', attempt: 1, fence: 1 };
    const payload = createPrincipal({ ...plain, attempt });
    expect(limitedTo(payload, { grants: own, linked }, before).linked).toBeUndefined();
  });

  it('gets the groups and linked identities from an answer of the gateway, too', () => {
    const rights = [{ isRevoked: false, grants: own, groups: ['grp_1'], linked: ['usr_2'] }];
    expect(readRightsAnswer(JSON.parse(writeRightsAnswer(rights)))).toEqual(rights);
  });
});
