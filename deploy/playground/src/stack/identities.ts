/** The playground's own token issuer, and who it mints tokens for. */
import { join } from 'node:path';
import {
  type Role,
  type TokenIssuer,
  type Verifier,
  createTokenIssuer,
  createVerifier,
} from '@rhizome/authz';

/** Tokens live this long: a playground is started anew more often. */
const ttlSeconds = 7 * 86_400;

/** Issuer, verifier, and the tokens by who bears them. */
export interface Identities {
  readonly issuer: TokenIssuer;
  readonly verifier: Verifier;
  /** `newcomer@playground`, who may do everything. */
  newcomer(): Promise<string>;
  /** `reader@playground`, who may read everything. */
  reader(): Promise<string>;
  /** The pilots of a queue. */
  pilot(queue: string): Promise<string>;
  /** An experiment's service. */
  service(experiment: string): Promise<string>;
}

/** Opens the key in the data folder (mode 0600), or makes it. */
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
