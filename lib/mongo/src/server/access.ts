import { createHmac, randomBytes } from 'node:crypto';
import { chmod, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';

/** The user that members of a replica set authenticate as. Its password is the key; nobody creates it. */
const clusterUser = '__system';

/** Key of an embedded replica set; its reader has all rights. */
export interface ClusterKey {
  /** File for `--keyFile`, readable only by its owner. */
  readonly file: string;
  readonly secret: string;
  /** True if an earlier key is gone, so that the passwords of existing users are not those of this key. */
  readonly isNew: boolean;
}

/** Databases that each user reads and writes, by the name of the user. */
export type UserDatabases<Name extends string = string> = Readonly<Record<Name, readonly string[]>>;

/** The key in this folder, created if it is not there. */
export async function clusterKey(folder: string): Promise<ClusterKey> {
  const file = join(folder, 'key');
  const known = await readFile(file, 'utf8').catch(() => '');
  if (known !== '') {
    await chmod(file, 0o600);
    return { file, secret: known.trim(), isNew: false };
  }
  // mongod accepts the characters of base64 only.
  const secret = randomBytes(96).toString('base64');
  await writePrivate(file, `${secret}\n`);
  return { file, secret, isNew: true };
}

/** Writes a file that only its owner can read; a reader never sees a part of it. */
export async function writePrivate(file: string, text: string): Promise<void> {
  const draft = await open(`${file}.new`, 'w', 0o600);
  try {
    // Whatever the mode of an earlier draft.
    await draft.chmod(0o600);
    await draft.writeFile(text);
    await draft.sync();
  } finally {
    await draft.close();
  }
  await rename(`${file}.new`, file);
}

/** Connection string with all rights: for the owner of the servers, for tests and for tools. */
export function ownerUri(hosts: readonly string[], { secret }: ClusterKey, query: string): string {
  return uriOf(hosts, { name: clusterUser, password: secret, source: 'local' }, query);
}

interface Credentials {
  readonly name: string;
  readonly password: string;
  readonly source: string;
}

function uriOf(hosts: readonly string[], { name, password, source }: Credentials, query: string): string {
  const login = `${encodeURIComponent(name)}:${encodeURIComponent(password)}`;
  return `mongodb://${login}@${hosts.join(',')}/?${query}&authSource=${source}&authMechanism=SCRAM-SHA-256`;
}

/** Credentials of the users, and how to reach the set. */
export interface UserSetup {
  readonly hosts: readonly string[];
  readonly key: ClusterKey;
  readonly query: string;
}

/**
 * Creates one user for each name, with rights on its databases only.
 * @returns a connection string for each
 */
export async function createUsers<Name extends string>(
  setup: UserSetup,
  databases: UserDatabases<Name>,
): Promise<Readonly<Record<Name, string>>> {
  const { hosts, key, query } = setup;
  const names = Object.keys(databases) as Name[];
  const client = new MongoClient(ownerUri(hosts, key, query), { appName: 'rhizome-embedded' });
  try {
    const known = await knownRoles(client, names);
    await Promise.all(
      names.map(async (name) => {
        const roles = serviceRoles(databases[name]);
        const command = known.has(name) ? 'updateUser' : 'createUser';
        if (!key.isNew && known.get(name) === signatureOf(roles)) return;
        const pwd = passwordOf(key, name);
        await client.db('admin').command({ [command]: name, pwd, roles, mechanisms: ['SCRAM-SHA-256'] });
      }),
    );
  } finally {
    await client.close();
  }
  const uris = names.map((name) => {
    const credentials = { name, password: passwordOf(key, name), source: 'admin' };
    return [name, uriOf(hosts, credentials, query)] as const;
  });
  return Object.fromEntries(uris) as Readonly<Record<Name, string>>;
}

/** A role of MongoDB, on one database. */
export interface Role {
  readonly role: string;
  readonly db: string;
}

/**
 * Roles of a service on its databases: it reads and writes documents, creates its collections, and changes
 * their validators and indexes.
 */
export const serviceRoles = (databases: readonly string[]): Role[] =>
  databases.flatMap((db) => ['readWrite', 'dbAdmin'].map((role) => ({ role, db })));

/** Databases of MongoDB itself: rights on them are rights on all. */
export const serverDatabases: ReadonlySet<string> = new Set(['admin', 'config', 'local']);

/** Text of roles that does not depend on their order. */
export const signatureOf = (roles: readonly Role[]): string =>
  roles
    .map(({ role, db }) => `${db}.${role}`)
    .sort()
    .join();

/** Roles of the users that exist, as {@link signatureOf} writes them, by name. */
export async function knownRoles(
  client: MongoClient,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const usersInfo = names.map((user) => ({ user, db: 'admin' }));
  const { users } = (await client.db('admin').command({ usersInfo })) as unknown as {
    users: readonly { readonly user: string; readonly roles: readonly Role[] }[];
  };
  return new Map(users.map(({ user, roles }) => [user, signatureOf(roles)]));
}

/** Derived from the key, so that no other secret has to be stored. */
const passwordOf = ({ secret }: ClusterKey, name: string): string =>
  createHmac('sha256', secret).update(`user ${name}`).digest('base64url');
