import { describe, expect, it } from '@jest/globals';
import { createCallSigner, createCallVerifier, narrowPrincipal, sharePrincipal } from './call-tokens.js';
import { can, experimentsFor } from './permissions.js';
import { createPrincipal, gatewayPrincipal, type Principal } from './principal.js';

describe('call token of an agent', () => {
  const agent = createPrincipal({
    ...{ kind: 'AGENT', subject: 'bot', actsFor: 'ada@example' },
    grants: [{ experiment: '*', roles: ['ADMIN'] }],
    boundedBy: [
      { experiment: 'alpha', roles: ['READER'] },
      { experiment: 'beta', roles: ['ADMIN'] },
    ],
    expiresAt: new Date('2099-01-01T00:00:00Z'),
  });

  it('carries the limits of the human, also for an authorisation scope', async () => {
    const signer = await createCallSigner();
    const verifier = createCallVerifier({ subgraph: 'core', jwks: signer.jwks() });
    for (const principal of [narrowPrincipal(agent), sharePrincipal(narrowPrincipal(agent))]) {
      const received = await verifier.verify(await signer.tokenFor(principal, 'core'));
      expect(experimentsFor(received, 'job:read')).toEqual(['alpha', 'beta']);
      expect(can(received, 'subgraph:read', 'alpha')).toBe(false);
    }
  });

  it('names only the limits in the experiment to its subgraph', () => {
    expect(narrowPrincipal(agent, 'alpha')).toMatchObject({
      grants: [{ experiment: 'alpha', roles: ['ADMIN'] }],
      boundedBy: [{ experiment: 'alpha', roles: ['READER'] }],
    });
  });
});

describe('call token of a member of a group', () => {
  const init = {
    kind: 'HUMAN',
    subject: 'ann',
    grants: [{ experiment: 'alpha', roles: ['USER'] }],
    expiresAt: new Date('2099-01-01T00:00:00Z'),
  } as const;
  const member = createPrincipal({ ...init, groups: ['grp_1'] });

  it('names the groups of now to subgraphs of the deployment only, and none for a scope', async () => {
    const signer = await createCallSigner();
    const verifier = createCallVerifier({ subgraph: 'core', jwks: signer.jwks() });
    const groupsOf = async (principal: Principal) =>
      (await verifier.verify(await signer.tokenFor(principal, 'core'))).groups;
    expect(await groupsOf(narrowPrincipal(member))).toEqual(['grp_1']);
    // The token of a moment ago must not be reused.
    expect(await groupsOf(narrowPrincipal(createPrincipal(init)))).toBeUndefined();
    expect(await groupsOf(sharePrincipal(narrowPrincipal(member)))).toBeUndefined();
    expect(narrowPrincipal(member, 'alpha').groups).toBeUndefined();
  });
});

describe('call token of a person with linked identities', () => {
  it('names them to subgraphs of the deployment only, and none for a scope', async () => {
    const init = { kind: 'HUMAN', subject: 'ann', grants: [], expiresAt: new Date('2099-01-01') } as const;
    const person = createPrincipal({ ...init, linked: ['usr_2'] });
    const signer = await createCallSigner();
    const verifier = createCallVerifier({ subgraph: 'core', jwks: signer.jwks() });
    const linkedOf = async (principal: Principal) =>
      (await verifier.verify(await signer.tokenFor(principal, 'core'))).linked;
    expect(await linkedOf(narrowPrincipal(person))).toEqual(['usr_2']);
    // The token of a moment ago must not be reused.
    expect(await linkedOf(narrowPrincipal(createPrincipal(init)))).toBeUndefined();
    expect(await linkedOf(sharePrincipal(narrowPrincipal(person)))).toBeUndefined();
    expect(narrowPrincipal(person, 'alpha').linked).toBeUndefined();
  });
});

describe('call token of a gateway', () => {
  it('names the gateway, and gives no rights', async () => {
    const signer = await createCallSigner();
    const verifier = createCallVerifier({ subgraph: 'core', jwks: signer.jwks() });
    const token = await signer.tokenFor(narrowPrincipal(gatewayPrincipal('gateway_1')), 'core');
    const received = await verifier.verify(token);
    expect(received).toMatchObject({ kind: 'SERVICE', subject: 'gateway', gateway: 'gateway_1', grants: [] });
    expect(experimentsFor(received, 'job:read')).toEqual([]);
  });

  it('differs from that of a service with the same subject', async () => {
    const signer = await createCallSigner();
    const verifier = createCallVerifier({ subgraph: 'core', jwks: signer.jwks() });
    const { gateway: _, ...service } = gatewayPrincipal('gateway_1');
    await signer.tokenFor(gatewayPrincipal('gateway_1'), 'core');
    const received = await verifier.verify(await signer.tokenFor(createPrincipal(service), 'core'));
    expect(received.gateway).toBeUndefined();
  });
});

describe('call token of a worker', () => {
  let nowMs = Date.parse('2030-01-01T00:00:00Z');
  const startMs = nowMs;
  const clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs };
  const grants = [{ experiment: '*', roles: ['PILOT'] as const }];
  const common = { kind: 'PILOT', grants, queue: 'q', expiresAt: new Date('2099-01-01T00:00:00Z') } as const;
  const worker = createPrincipal({ ...common, subject: 'worker:worker_1', worker: 'worker_1' });
  const others = [
    createPrincipal({ ...common, subject: 'pilot:q' }),
    createPrincipal({
      ...common,
      ...{ subject: 'job:job_1', worker: 'worker_1', attempt: { jobId: 'job_1', attempt: 1, fence: 1 } },
    }),
  ];

  it('is signed once in half of the life of a credential, and is accepted until its end', async () => {
    nowMs = startMs;
    const signer = await createCallSigner({ clock });
    const verifier = createCallVerifier({ subgraph: 'core', jwks: signer.jwks(), clock });
    const token = await signer.tokenFor(worker, 'core');
    nowMs += 449_000;
    expect(await signer.tokenFor(worker, 'core')).toBe(token);
    nowMs += 450_000;
    expect(await signer.tokenFor(worker, 'core')).not.toBe(token);
    expect((await verifier.verify(token)).worker).toBe('worker_1');
    nowMs += 2_000;
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
  });

  it.each(others)('lives a minute for $subject, which is no worker', async (principal) => {
    nowMs = startMs;
    const signer = await createCallSigner({ clock });
    const verifier = createCallVerifier({ subgraph: 'core', jwks: signer.jwks(), clock });
    const token = await signer.tokenFor(principal, 'core');
    nowMs += 31_000;
    expect(await signer.tokenFor(principal, 'core')).not.toBe(token);
    nowMs += 31_000;
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
  });
});
