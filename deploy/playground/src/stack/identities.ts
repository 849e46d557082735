/** Token issuer of the playground, and the principals that it issues tokens for. */
import { join } from 'node:path';
import {
  type Role,
  type TokenIssuer,
  type Verifier,
  createTokenIssuer,
  createVerifier,
} from '@rhizome/authz';

/** Lifetime of tokens, longer than a playground usually runs. */
const ttlSeconds = 7 * 86_400;

/** Issuer, verifier, and tokens by principal. */
export interface Identities {
  readonly issuer: TokenIssuer;
  readonly verifier: Verifier;
  /** Token of `newcomer@playground`, who may do everything. */
  newcomer(): Promise<string>;
  /** Token of `reader@playground`, who may read everything. */
  reader(): Promise<string>;
  /** Token for the pilots of a queue. */
  pilot(queue: string): Promise<string>;
  /** Token of an experiment's service. */
  service(experiment: string): Promise<string>;
}

/** Opens the key in the data folder, or creates it with mode 0600. */
export async function openIdentities(data: string): Promise<Identities> {
  const issuer = await createTokenIssuer({
    keyFile: join(data, 'token-key.json'),
    issuer: 'rhizome-playground',
  });
  const verifier = createVerifier({ issuers: [{ issuer: issuer.issuer, jwks: issuer.jwks() }] });
  const everywhere = (role: Role) => [{ experiment: '*', roles: [role] }];
  return {
    issuer,
    verifier,
    newcomer: () =>
      issuer.mint({ subject: 'newcomer@playground', kind: 'HUMAN', grants: everywhere('ADMIN'), ttlSeconds }),
    reader: () =>
      issuer.mint({ subject: 'reader@playground', kind: 'HUMAN', grants: everywhere('READER'), ttlSeconds }),
    pilot: (queue) =>
      issuer.mint({ subject: `pilot:${queue}`, kind: 'PILOT', grants: everywhere('PILOT'), ttlSeconds }),
    service: (experiment) =>
      issuer.mint({
        subject: `experiment:${experiment}`,
        kind: 'SERVICE',
        grants: [{ experiment, roles: ['SERVICE'] }],
        ttlSeconds,
      }),
  };
}
