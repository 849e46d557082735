/** Grant of the token endpoint for robots: client credentials with a signed assertion (RFC 7523). */
import { type Answer, invalid, issuedAnswer } from './answers.js';
import type { Attempt, Attempts } from './attempts.js';
import { claimOfRobot } from './claimed-holder.js';
import { lifetimeOf } from './form.js';
import { paths } from './metadata.js';
import { checkedProof, type ProvenKeyPorts } from './proven-key.js';
import type { Identity } from '@rhizome/identity';

/** Ports of {@link robotGrant}. */
export interface RobotGrantPorts extends ProvenKeyPorts {
  readonly identity: Pick<Identity, 'proofs' | 'robots' | 'trusted'>;
  readonly attempts: Attempts;
}

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A token for the robot that signed the assertion; with a proof of possession, it is bound to that key. */
export async function robotGrant(
  form: URLSearchParams,
  attempt: Attempt,
  ports: RobotGrantPorts,
): Promise<Answer> {
  const { identity, attempts, originsOf } = ports;
  const type = form.get('client_assertion_type') ?? '';
  if (type !== assertionType) throw invalid('client_assertion_type', type, [assertionType]);
  const assertion = form.get('client_assertion') ?? '';
  await attempts.admit(attempt, await claimOfRobot(assertion, identity));
  const proof = attempt.request.headers['dpop'];
  const key = typeof proof === 'string' ? await checkedProof(proof, attempt.request, ports) : undefined;
  const { issuer } = identity.trusted;
  const origins = originsOf(attempt.request);
  const issued = await identity.robots.token({
    assertion,
    audiences: [
      issuer,
      new URL(paths.token, issuer).href,
      ...origins,
      ...origins.map((one) => one + paths.token),
    ],
    scope: form.get('scope'),
    lifetimeSeconds: lifetimeOf(form),
    key,
  });
  attempts.succeeded(attempt);
  attempts.record(attempt, issued.holder);
  return issuedAnswer(issued, key && { token_type: 'DPoP' });
}
