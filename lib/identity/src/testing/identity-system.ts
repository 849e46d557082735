/** A real issuer and the services of identity on a database of their own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVerifier, type Verifier } from '@rhizome/authz';
import { createIds, systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { leftovers, testDatabase, testMongo, testPrincipal } from '@rhizome/testkit';
import { type TestIssuer, testIssuer } from '@rhizome/testkit/oidc';
import { type Identity, type IdentityOptions, openIdentity } from '../identity.js';
import type { IssuerSettingsRecord, MappingRule } from '../issuers/issuer.document.js';
import type { ExchangeRequest } from '../tokens/exchange-request.js';

/** A test's services. */
export interface IdentitySystem {
  readonly identity: Identity;
  /** Opens the services of a second process on the same database. */
  second(): Promise<Identity>;
  readonly issuer: TestIssuer;
  readonly mongoUri: string;
  readonly database: string;
  /** Writes the record of the test issuer. */
  trust(settings?: Partial<IssuerSettingsRecord>): Promise<void>;
  /** Accepts the tokens of the services, with the rights of now. */
  readonly verifier: Verifier;
  /** Exchanges a token of the test issuer, or one of the services. */
  exchange(subjectToken: string, change?: Partial<ExchangeRequest>): Promise<string>;
  /** A token of the services for an account at the test issuer. */
  tokenOf(sub: string, change?: Partial<ExchangeRequest>): Promise<string>;
}

/** A file for a key-encryption key, in a folder of its own. */
export async function keyFileOf(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `rhizome-${name}-`));
  leftovers.defer(folder, () => rm(folder, { recursive: true }));
  return join(folder, 'key');
}

/** The administrator of tests. */
export const admin = testPrincipal();

/** Makes ids that differ in each run. */
export const ids = createIds(systemClock);

/** Starts an issuer and opens the services. */
export async function identitySystem(
  options: Pick<IdentityOptions, 'storages'> = {},
): Promise<IdentitySystem> {
  const issuer = await testIssuer();
  const { databaseName: database } = await testDatabase('identity');
  const { uri: mongoUri } = await testMongo();
  const keyFile = await keyFileOf('identity');
  const second = async (): Promise<Identity> => {
    const common = { mongoUri, database, keyFile, issuer: 'https://rhizome.test' };
    const opened = await openIdentity({ ...common, log: silentLogger(), ...options });
    leftovers.defer('the identity services', () => opened.close());
    return opened;
  };
  const identity = await second();
  const trust = async (settings: Partial<IssuerSettingsRecord> = {}): Promise<void> => {
    const { userErrors } = await identity.issuers.set('test', { ...trusted(issuer), ...settings }, admin);
    if (userErrors.length > 0) throw new Error(userErrors.map(({ message }) => message).join('; '));
  };
  const exchange: IdentitySystem['exchange'] = async (subjectToken, change) => {
    const request = { subjectToken, scope: null, agent: null, lifetimeSeconds: null, ...change };
    return (await identity.tokens.exchange(request)).accessToken;
  };
  const tokenOf: IdentitySystem['tokenOf'] = async (sub, change) =>
    exchange(await issuer.issue({ sub, client_id: undefined }), change);
  const { trusted: own, revocations, people } = identity;
  const verifier = createVerifier({ issuers: [own], revocations, people });
  return { identity, second, issuer, mongoUri, database, trust, verifier, exchange, tokenOf };
}

/** The record of a test issuer. */
export function trusted({ issuer, audience }: Pick<TestIssuer, 'issuer' | 'audience'>): IssuerSettingsRecord {
  return {
    issuer,
    profile: 'OIDC',
    jwksUri: null,
    audiences: [audience],
    experiments: ['heron', 'egret'],
    kinds: ['HUMAN', 'SERVICE'],
    roles: ['USER', 'READER', 'PRODUCTION'],
    maxLifetimeSeconds: 6 * 3600,
    isEnabled: true,
    login: null,
    rules: [],
  };
}

/** A rule with the conditions that a test names. */
export function ruleOf(
  name: string,
  rule: Partial<Omit<MappingRule, 'when'>> & { readonly when: Partial<MappingRule['when']> },
): MappingRule {
  const none = { everyone: false, subjects: [], groups: [], scopes: [], entitlements: [], claims: [] };
  return {
    name,
    grants: [{ experiment: 'heron', roles: ['USER'] }],
    queues: [],
    ...rule,
    when: { ...none, ...rule.when },
  };
}
