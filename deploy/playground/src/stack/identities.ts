/** Token issuer of the playground, and the principals that it issues tokens for. */
import { join } from 'node:path';
import {
  accessTokenKinds,
  type Grant,
  type IssuerConstraints,
  type PrincipalKind,
  type Role,
  roles,
  type TokenIssuer,
  type TrustedIssuer,
  type Verifier,
  type CallSigner,
  createCallSigner,
  createCallVerifier,
  createTokenIssuer,
  createVerifier,
} from '@rhizome/authz';
import { callKeyFile } from './call-key-file.js';
import { tokenSeconds } from './token-lifetime.js';

/**
 * Rights that a gateway gives the playground's issuer: all, for any kind of caller. Its people have the
 * prefix `playground:`, which keeps them apart from those of Rhizome's own issuer.
 */
export const issuerConstraints = {
  alias: 'playground',
  kinds: accessTokenKinds,
  roles,
  experiments: '*',
  maxLifetimeSeconds: tokenSeconds,
} as const satisfies IssuerConstraints;

/** Issuer, verifier, and tokens by principal. */
export interface Identities {
  readonly issuer: TokenIssuer;
  /** The issuer as gateways trust it. */
  readonly trusted: TrustedIssuer;
  /** Verifier of a gateway without an identity store. */
  readonly verifier: Verifier;
  /** Signer of the tokens that the gateway gives to subgraphs. */
  readonly calls: CallSigner;
  /** Verifier of a subgraph that is served next to the playground. */
  callVerifier(subgraph: string): Verifier;
  /** Token of `playground:newcomer`, who may do everything. */
  newcomer(): Promise<string>;
  /** Token of `playground:reader`, who may read everything. */
  reader(): Promise<string>;
  /** Token of an assistant of `playground:newcomer`, for the endpoint at this address. */
  assistant(endpoint: string): Promise<string>;
  /** Token for all pilots of a queue, which only a gateway accepts that allows tokens of queues. */
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
  const trusted = { issuer: issuer.issuer, jwks: issuer.jwks(), ...issuerConstraints };
  const everywhere = (role: Role) => [{ experiment: '*', roles: [role] }];
  const tokenOf = (subject: string, kind: PrincipalKind, grants: readonly Grant[]): Promise<string> =>
    issuer.mint({ subject, kind, grants, ttlSeconds: tokenSeconds });
  const calls = await createCallSigner({ keyFile: callKeyFile(data) });
  return {
    issuer,
    trusted,
    verifier: createVerifier({ issuers: [trusted] }),
    calls,
    callVerifier: (subgraph) => createCallVerifier({ subgraph, jwks: calls.jwks() }),
    newcomer: () => tokenOf('newcomer', 'HUMAN', everywhere('ADMIN')),
    reader: () => tokenOf('reader', 'HUMAN', everywhere('READER')),
    assistant: (audience) =>
      issuer.mint({
        ...{ subject: 'assistant', kind: 'AGENT', actsFor: 'newcomer', audience },
        ...{ grants: everywhere('ADMIN'), boundedBy: everywhere('ADMIN'), ttlSeconds: tokenSeconds },
      }),
    pilot: (queue) => tokenOf(`pilot:${queue}`, 'PILOT', everywhere('PILOT')),
    service: (experiment) =>
      tokenOf(`experiment:${experiment}`, 'SERVICE', [{ experiment, roles: ['SERVICE'] }]),
  };
}
