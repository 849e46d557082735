import { describe, expect, it } from '@jest/globals';
import { createCallSigner, createCallVerifier, narrowPrincipal, sharePrincipal } from './call-tokens.js';
import { can, experimentsFor } from './permissions.js';
import { createPrincipal } from './principal.js';

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
