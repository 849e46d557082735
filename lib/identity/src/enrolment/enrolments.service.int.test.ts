import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createVerifier } from '@rhizome/authz';
import { testPrincipal } from '@rhizome/testkit';
import { admin, identitySystem, type IdentitySystem, ruleOf } from '../testing/identity-system.js';
import type { ProvenKey } from '../proof/proof-verifier.js';
import { EnrolmentsRepository } from './enrolments.repository.js';
import type { EnrolmentRequest } from './enrolments.service.js';
import type { QueueOwners } from './queue-owners.js';

/** Queues of core, with their experiments. */
const queues: Readonly<Record<string, readonly string[]>> = {
  north: ['egret'],
  south: ['heron'],
  shared: ['egret', 'heron'],
};
const owners: QueueOwners = {
  experimentsOf: async (queue) => queues[queue] ?? ['*'],
  queuesOf: async (own) =>
    Object.keys(queues).filter((queue) => queues[queue]?.every((one) => own.includes(one))),
};

/** A proven key with text in the form of a thumbprint. */
const keyOf = (name: string): ProvenKey => ({
  thumbprint: name.padEnd(43, '-'),
  use: () => Promise.resolve(),
});

describe('EnrolmentsService', () => {
  let system: IdentitySystem;
  beforeAll(async () => {
    system = await identitySystem();
  });
  const request = (name: string, change: Partial<EnrolmentRequest> = {}): EnrolmentRequest => ({
    key: keyOf(name),
    queue: 'north',
    host: 'host-1',
    address: '192.0.2.7',
    code: null,
    subjectToken: null,
    ...change,
  });
  const invite = async (change: object = {}) => {
    const wanted = {
      queue: 'north',
      experiments: ['heron'],
      uses: 1,
      ttlSeconds: 60,
      netblock: null,
      ...change,
    };
    const { code, userErrors } = await system.identity.invitations.invite(wanted, admin, owners);
    expect(userErrors).toEqual([]);
    return code ?? '';
  };
  const verify = (token: string) => {
    const { trusted, revocations } = system.identity;
    return createVerifier({ issuers: [trusted], kinds: ['WORKER'], revocations }).verify(token);
  };

  it('gives the holder of an invitation the credential of one worker', async () => {
    const { enrolments, workerTokens } = system.identity;
    const { _id } = await enrolments.enrol(request('a', { code: await invite() }));
    const { accessToken, workerId, expiresInSeconds } = await workerTokens.issue(_id, keyOf('a'), true);
    expect(expiresInSeconds).toBe(900);
    expect(await verify(accessToken)).toMatchObject({
      kind: 'PILOT',
      tokenKind: 'WORKER',
      subject: `worker:${workerId}`,
      worker: workerId,
      queue: 'north',
      keyThumbprint: keyOf('a').thumbprint,
      grants: [{ experiment: 'heron', roles: ['PILOT'] }],
    });
    const { trusted } = system.identity;
    await expect(createVerifier({ issuers: [trusted] }).verify(accessToken)).rejects.toThrow(/WORKER token/);
  });

  it.each<[string, object, Partial<EnrolmentRequest>]>([
    ['another queue', {}, { queue: 'south' }],
    ['another network', { netblock: '198.51.100.0/24' }, {}],
    ['another code', {}, { code: 'rhi_guess' }],
  ])('refuses an invitation for %s', async (name, change, enrol) => {
    const code = await invite(change);
    const { enrolments } = system.identity;
    await expect(enrolments.enrol(request(`no ${name}`, { code, ...enrol }))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it('counts the uses of an invitation, also of requests at once', async () => {
    const code = await invite({ uses: 2, netblock: '192.0.2.0/24' });
    const { enrolments } = system.identity;
    const all = await Promise.allSettled(
      Array.from({ length: 6 }, (_, at) => enrolments.enrol(request(`use ${at}`, { code }))),
    );
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  });

  it('makes a request wait until somebody approves it', async () => {
    const { enrolments, enrolmentDecisions, workerTokens } = system.identity;
    const { _id, state } = await enrolments.enrol(request('w'));
    expect(state).toBe('PENDING');
    await expect(workerTokens.issue(_id, keyOf('w'), true)).rejects.toMatchObject({
      code: 'ENROLMENT_PENDING',
    });
    const local = testPrincipal({ grants: { egret: 'ADMIN' } });
    await expect(
      enrolmentDecisions.decide({ id: _id, isApproved: true, experiments: ['heron'] }, local, owners),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await enrolmentDecisions.decide({ id: _id, isApproved: true, experiments: ['egret'] }, local, owners);
    const { accessToken } = await workerTokens.issue(_id, keyOf('w'), true);
    expect((await verify(accessToken)).grants).toEqual([{ experiment: 'egret', roles: ['PILOT'] }]);
    const again = await enrolmentDecisions.decide(
      { id: _id, isApproved: false, experiments: ['egret'] },
      local,
      owners,
    );
    expect(again.userErrors.map(({ code }) => code)).toEqual(['ENROLMENT_DECIDED']);
  });

  it('gives a refused request, another key or an unknown enrolment nothing', async () => {
    const { enrolments, enrolmentDecisions, workerTokens } = system.identity;
    const { _id } = await enrolments.enrol(request('r'));
    await enrolmentDecisions.decide({ id: _id, isApproved: false, experiments: ['*'] }, admin, owners);
    await expect(workerTokens.issue(_id, keyOf('r'), true)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(workerTokens.issue(_id, keyOf('other'), true)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
    await expect(workerTokens.issue('enr_none', keyOf('r'), true)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it('bounds the requests of one address that wait', async () => {
    const { enrolments } = system.identity;
    const from = (at: number) => enrolments.enrol(request(`many ${at}`, { address: '203.0.113.9' }));
    for (let at = 0; at < 20; at += 1) await from(at);
    await expect(from(20)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await from(3)).toMatchObject({ state: 'PENDING' });
  });

  it('renews the credential of the worker, and ends it when its pilot starts again', async () => {
    const { enrolments, workerTokens } = system.identity;
    const { _id } = await enrolments.enrol(request('n', { code: await invite() }));
    const first = await workerTokens.issue(_id, keyOf('n'), true);
    const second = await workerTokens.issue(_id, keyOf('n'), false);
    expect(second.workerId).toBe(first.workerId);
    expect((await verify(first.accessToken)).worker).toBe(first.workerId);
    const third = await workerTokens.issue(_id, keyOf('n'), true);
    expect(third.workerId).not.toBe(first.workerId);
    for (const { accessToken } of [first, second])
      await expect(verify(accessToken)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    expect((await verify(third.accessToken)).worker).toBe(third.workerId);
  });

  it('ends with all credentials when an administrator ends it', async () => {
    const { enrolments, enrolmentDecisions, workerTokens } = system.identity;
    const { _id } = await enrolments.enrol(request('e', { code: await invite() }));
    const { accessToken } = await workerTokens.issue(_id, keyOf('e'), true);
    await enrolmentDecisions.end(_id, admin, owners);
    await expect(verify(accessToken)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    await expect(workerTokens.issue(_id, keyOf('e'), true)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('leaves no credential when its end is interrupted, and ends when asked again', async () => {
    const { enrolments, enrolmentDecisions, workerTokens } = system.identity;
    const { _id } = await enrolments.enrol(request('interrupted', { code: await invite() }));
    const { accessToken } = await workerTokens.issue(_id, keyOf('interrupted'), true);
    const interrupted = jest.spyOn(EnrolmentsRepository.prototype, 'decide');
    interrupted.mockRejectedValueOnce(new Error('the store fails'));
    await expect(enrolmentDecisions.end(_id, admin, owners)).rejects.toThrow('the store fails');
    interrupted.mockRestore();
    await expect(verify(accessToken)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    expect((await enrolmentDecisions.end(_id, admin, owners)).enrolment?.state).toBe('ENDED');
  });

  it('enrols by a token of the platform that a rule names for the queue', async () => {
    await system.trust({
      profile: 'KUBERNETES',
      rules: [
        ruleOf('pilots', {
          when: { claims: [{ claim: 'kubernetes.io.namespace', values: ['pilots'] }] },
          grants: [],
          queues: ['north'],
        }),
      ],
    });
    const pod = (namespace: string) =>
      system.issuer.issue({ 'kubernetes.io': { namespace, serviceaccount: { name: 'p', uid: '1' } } });
    const { enrolments } = system.identity;
    const subjectToken = await pod('pilots');
    expect(await enrolments.enrol(request('p', { subjectToken }))).toMatchObject({
      state: 'APPROVED',
      way: 'PLATFORM',
    });
    await expect(enrolments.enrol(request('q', { subjectToken, queue: 'south' }))).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    await expect(enrolments.enrol(request('u', { subjectToken: await pod('users') }))).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  it.each<[string, object, string]>([
    ['no experiments', { experiments: [] }, 'experiments'],
    ['too many uses', { uses: 20_000 }, 'uses'],
    ['a month', { ttlSeconds: 30 * 86_400 }, 'ttlSeconds'],
    ['a block that is none', { netblock: '192.0.2.0/40' }, 'netblock'],
    ['a block without a length', { netblock: '192.0.2.0/' }, 'netblock'],
    ['a block with two lengths', { netblock: '192.0.2.0/24/8' }, 'netblock'],
    ['a queue that is none', { queue: 'a b' }, 'queue'],
  ])('refuses an invitation with %s', async (_, change, field) => {
    const wanted = {
      queue: 'north',
      experiments: ['heron'],
      uses: 1,
      ttlSeconds: 60,
      netblock: null,
      ...change,
    };
    const { userErrors } = await system.identity.invitations.invite(wanted, admin, owners);
    expect(userErrors.map(({ path }) => path[0])).toContain(field);
  });
});
