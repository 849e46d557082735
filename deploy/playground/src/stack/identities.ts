/** Token issuer of the playground, and the principals that it issues tokens for. */
import { join } from 'node:path';
import {
  type Grant,
  type PrincipalKind,
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
  const tokenOf = (subject: string, kind: PrincipalKind, grants: readonly Grant[]): Promise<string> =>
    issuer.mint({ subject, kind, grants, ttlSeconds: tokenSeconds });
  const calls = await createCallSigner({ keyFile: callKeyFile(data) });
  return {
    issuer,
    verifier,
    calls,
    callVerifier: (subgraph) => createCallVerifier({ subgraph, jwks: calls.jwks() }),
    newcomer: () => tokenOf('newcomer@playground', 'HUMAN', everywhere('ADMIN')),
    reader: () => tokenOf('reader@playground', 'HUMAN', everywhere('READER')),
    pilot: (queue) => tokenOf(`pilot:${queue}`, 'PILOT', everywhere('PILOT')),
    service: (experiment) =>
      tokenOf(`experiment:${experiment}`, 'SERVICE', [{ experiment, roles: ['SERVICE'] }]),
  };
}
