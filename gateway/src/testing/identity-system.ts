/** A gateway with a registry, a database of identities, and a real issuer. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Identity, openIdentity } from '@rhizome/identity';
import { silentLogger } from '@rhizome/log';
import { leftovers, testDatabase, testMongo } from '@rhizome/testkit';
import { type TestIssuer, testIssuer } from '@rhizome/testkit/oidc';
import { type RegistrySystem, startRegistrySystem } from './registry-system.js';

/** A test's gateway. */
export interface GatewayIdentitySystem extends RegistrySystem {
  readonly identity: Identity;
  readonly issuer: TestIssuer;
  /** The store of identities, for further processes on it. */
  readonly store: { readonly mongoUri: string; readonly database: string; readonly keyFile: string };
}

/** Address of Rhizome's own issuer in tests. */
export const ownIssuer = 'https://rhizome.test';

/** Starts the system; all of it is closed at the end of the file. */
export async function startIdentitySystem(): Promise<GatewayIdentitySystem> {
  const issuer = await testIssuer();
  const { databaseName: database } = await testDatabase('identity');
  const { uri: mongoUri } = await testMongo();
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-identity-'));
  leftovers.defer(folder, () => rm(folder, { recursive: true }));
  const keyFile = join(folder, 'key');
  const identity = await openIdentity({
    mongoUri,
    database,
    issuer: ownIssuer,
    keyFile,
    log: silentLogger(),
  });
  leftovers.defer('the services of identity', () => identity.close());
  const system = await startRegistrySystem({ identity, mcpUrl: `${ownIssuer}/mcp` });
  return { ...system, identity, issuer, store: { mongoUri, database, keyFile } };
}

/** Registers the test issuer through the API: each of its accounts is a user of heron. */
export async function trustIssuer({ ask, issuer }: GatewayIdentitySystem): Promise<void> {
  const rule = { name: 'all', isForEveryone: true, grants: [{ experiment: 'heron', roles: ['USER'] }] };
  const input = {
    ...{ name: 'institute', issuer: issuer.issuer, profile: 'OIDC', audiences: [issuer.audience] },
    ...{ experiments: ['heron'], rules: [rule] },
  };
  const text = `mutation ($input: SetTokenIssuerInput!) { setTokenIssuer(input: $input) { userErrors { message } } }`;
  const { data } = await ask(text, { input });
  if (data.setTokenIssuer.userErrors.length > 0) throw new Error(JSON.stringify(data));
}

/** The services of another gateway on the same store. */
export async function otherIdentity({ store }: GatewayIdentitySystem): Promise<Identity> {
  const identity = await openIdentity({ ...store, issuer: ownIssuer, log: silentLogger() });
  leftovers.defer('the services of another gateway', () => identity.close());
  return identity;
}

/** Fields of the answers to forms that tests read; an answer has those of its endpoint and outcome. */
export interface FormAnswerBody {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly token_type: string;
  readonly enrolment_id: string;
  readonly worker_id: string;
  readonly error: string;
}

/** Sends a form to an endpoint of a gateway. */
export async function postForm(
  origin: string,
  path: string,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly body: FormAnswerBody; readonly headers: Headers }> {
  const response = await fetch(new URL(path, origin), {
    method: 'POST',
    body: new URLSearchParams(form),
    headers,
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text), headers: response.headers };
}
