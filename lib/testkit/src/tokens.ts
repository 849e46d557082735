import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CallSigner,
  createCallSigner,
  createCallVerifier,
  createPrincipal,
  createTokenIssuer,
  createVerifier,
  type Grant,
  type MintOptions,
  narrowPrincipal,
  type Principal,
  type PrincipalKind,
  type Role,
  type TrustedIssuer,
  type Verifier,
} from '@rhizome/authz';
import { leftovers } from './leftovers.js';

/** Roles by experiment (`*` for all), or one role everywhere. */
export type TestGrants = Role | Readonly<Record<string, Role | readonly Role[]>>;

/** A principal for tests that need no token. */
export interface TestPrincipalOptions {
  readonly kind?: PrincipalKind;
  readonly subject?: string;
  readonly grants?: TestGrants;
  /** Of an agent: the grants of its human; the agent's own unless given. */
  readonly boundedBy?: TestGrants;
  readonly actsFor?: string;
  readonly expiresAt?: Date;
}

function grantsOf(grants: TestGrants): Grant[] {
  if (typeof grants === 'string') return [{ experiment: '*', roles: [grants] }];
  return Object.entries(grants).map(([experiment, roles]) => ({
    experiment,
    roles: typeof roles === 'string' ? [roles] : roles,
  }));
}

/** A principal without a token; by default a human who is ADMIN everywhere. */
export function testPrincipal(options: TestPrincipalOptions = {}): Principal {
  const { kind = 'HUMAN', subject = 'admin@example', grants = 'ADMIN', actsFor, expiresAt } = options;
  // The human of an agent has the same rights unless they are given.
  const bound = options.boundedBy ?? (kind === 'AGENT' ? grants : undefined);
  return createPrincipal({
    kind,
    subject,
    grants: grantsOf(grants),
    boundedBy: bound === undefined ? undefined : grantsOf(bound),
    actsFor,
    expiresAt: expiresAt ?? new Date('2099-01-01T00:00:00Z'),
  });
}

/** Real tokens of an issuer that exists for this file only, and what is needed to trust it. */
export interface TestTokens {
  /** Configuration with which a service accepts these tokens. */
  readonly trusted: TrustedIssuer;
  readonly verifier: Verifier;
  /** Signer of the tokens that a gateway gives to subgraphs. */
  readonly calls: CallSigner;
  /** Its key file, for a gateway in its own process. */
  readonly callKeyFile: string;
  /** The verifier of a subgraph, which accepts call tokens for it. */
  callVerifier(subgraph: string): Verifier;
  /** The token that a gateway gives to a subgraph of the deployment for the caller with this token. */
  call(subgraph: string, token: string | Promise<string>): Promise<string>;
  /** Any token; valid for ten minutes by default. */
  mint(options: Omit<MintOptions, 'ttlSeconds'> & { readonly ttlSeconds?: number }): Promise<string>;
  /** A human who is ADMIN everywhere. */
  admin(subject?: string): Promise<string>;
  /** A human who may read in one experiment. */
  reader(experiment: string, subject?: string): Promise<string>;
  /** A human with any grants. */
  human(subject: string, grants: TestGrants): Promise<string>;
  /** A pilot of a queue, for all experiments. */
  pilot(queue: string): Promise<string>;
  /** The service of an experiment. */
  service(experiment: string): Promise<string>;
  /** An agent that acts for a human, with that human's grants. */
  agent(actsFor: string, grants: TestGrants): Promise<string>;
  /** An admin's token that ended a minute ago. */
  expired(): Promise<string>;
  /** An admin's token by an issuer of the same name with another key. */
  foreign(): Promise<string>;
}

/** Starts an issuer in a folder of its own, removed at the end of the file. */
export async function testTokens(issuer = 'https://issuer.test'): Promise<TestTokens> {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-tokens-'));
  leftovers.defer('the folder of testTokens', () => rm(folder, { recursive: true, force: true }));
  const own = await createTokenIssuer({ keyFile: join(folder, 'key.json'), issuer });
  const other = await createTokenIssuer({ keyFile: join(folder, 'foreign.json'), issuer });
  const callKeyFile = join(folder, 'calls.json');
  const calls = await createCallSigner({ keyFile: callKeyFile });
  const trusted: TrustedIssuer = { issuer, jwks: own.jwks() };
  const verifier = createVerifier({ issuers: [trusted] });
  const mint: TestTokens['mint'] = (options) => own.mint({ ttlSeconds: 600, ...options });
  const human: TestTokens['human'] = (subject, grants) =>
    mint({ subject, kind: 'HUMAN', grants: grantsOf(grants) });
  const admin = { subject: 'admin@example', kind: 'HUMAN', grants: grantsOf('ADMIN') } as const;
  return {
    trusted,
    verifier,
    calls,
    callKeyFile,
    callVerifier: (subgraph) => createCallVerifier({ subgraph, jwks: calls.jwks() }),
    call: async (subgraph, token) =>
      calls.tokenFor(narrowPrincipal(await verifier.verify(await token)), subgraph),
    mint,
    human,
    admin: (subject = admin.subject) => human(subject, 'ADMIN'),
    reader: (experiment, subject = 'reader@example') => human(subject, { [experiment]: 'READER' }),
    pilot: (queue) => mint({ subject: `pilot:${queue}`, kind: 'PILOT', grants: grantsOf('PILOT') }),
    service: (name) =>
      mint({ subject: `experiment:${name}`, kind: 'SERVICE', grants: grantsOf({ [name]: 'SERVICE' }) }),
    agent: (actsFor, grants) =>
      mint({
        ...{ subject: `agent-of-${actsFor}`, kind: 'AGENT', actsFor },
        ...{ grants: grantsOf(grants), boundedBy: grantsOf(grants) },
      }),
    expired: () => mint({ ...admin, issuedAt: new Date(Date.now() - 120_000), ttlSeconds: 60 }),
    foreign: () => other.mint({ ...admin, ttlSeconds: 600 }),
  };
}
