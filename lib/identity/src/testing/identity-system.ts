/** A real issuer and the services of identity on a database of their own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIds, systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { leftovers, testDatabase, testMongo, testPrincipal } from '@rhizome/testkit';
import { type TestIssuer, testIssuer } from '@rhizome/testkit/oidc';
import { type Identity, openIdentity } from '../identity.js';
import type { IssuerSettingsRecord, MappingRule } from '../issuers/issuer.document.js';

/** A test's services. */
export interface IdentitySystem {
  readonly identity: Identity;
  readonly issuer: TestIssuer;
  readonly mongoUri: string;
  readonly database: string;
  /** Writes the record of the test issuer. */
  trust(settings?: Partial<IssuerSettingsRecord>): Promise<void>;
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
export async function identitySystem(): Promise<IdentitySystem> {
  const issuer = await testIssuer();
  const { databaseName: database } = await testDatabase('identity');
  const { uri: mongoUri } = await testMongo();
  const identity = await openIdentity({
    mongoUri,
    database,
    keyFile: await keyFileOf('identity'),
    issuer: 'https://rhizome.test',
    log: silentLogger(),
  });
  leftovers.defer('the identity services', () => identity.close());
  const trust = async (settings: Partial<IssuerSettingsRecord> = {}): Promise<void> => {
    const { userErrors } = await identity.issuers.set('test', { ...trusted(issuer), ...settings }, admin);
    if (userErrors.length > 0) throw new Error(userErrors.map(({ message }) => message).join('; '));
  };
  return { identity, issuer, mongoUri, database, trust };
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
