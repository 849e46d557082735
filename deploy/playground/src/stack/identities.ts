/** Token issuer of the playground, and the principals that it issues tokens for. */
import { join } from 'node:path';
import {
  type Role,
  type TokenIssuer,
  type Verifier,
  type CallSigner,
  createCallSigner,
  createCallVerifier,
  createTokenIssuer,
  createVerifier,
} from '@rhizome/authz';
import { callKeyFile } from './call-key-file.js';
import { tokenSeconds } from './token-lifetime.js';

/** Issuer, verifier, and tokens by principal. */
export interface Identities {
  readonly issuer: TokenIssuer;
  readonly verifier: Verifier;
  /** Signer of the tokens that the gateway gives to subgraphs. */
  readonly calls: CallSigner;
  /** Verifier of a subgraph that is served next to the playground. */
  callVerifier(subgraph: string): Verifier;
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
  const verifier = createVerifier({
    issuers: [{ issuer: issuer.issuer, jwks: issuer.jwks(), maxLifetimeSeconds: tokenSeconds }],
  });
  const everywhere = (role: Role) => [{ experiment: '*', roles: [role] }];
  const calls = await createCallSigner({ keyFile: callKeyFile(data) });
  return {
    issuer,
    verifier,
    calls,
    callVerifier: (subgraph) => createCallVerifier({ subgraph, jwks: calls.jwks() }),
    newcomer: () =>
      issuer.mint({
        subject: 'newcomer@playground',
        kind: 'HUMAN',
        grants: everywhere('ADMIN'),
        ttlSeconds: tokenSeconds,
      }),
    reader: () =>
      issuer.mint({
        subject: 'reader@playground',
        kind: 'HUMAN',
        grants: everywhere('READER'),
        ttlSeconds: tokenSeconds,
      }),
    pilot: (queue) =>
      issuer.mint({
        subject: `pilot:${queue}`,
        kind: 'PILOT',
        grants: everywhere('PILOT'),
        ttlSeconds: tokenSeconds,
      }),
    service: (experiment) =>
      issuer.mint({
        subject: `experiment:${experiment}`,
        kind: 'SERVICE',
        grants: [{ experiment, roles: ['SERVICE'] }],
        ttlSeconds: tokenSeconds,
      }),
  };
}
