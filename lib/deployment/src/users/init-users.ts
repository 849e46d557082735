/**
 * Users of the services: one for each, with the roles that it needs on its own databases, and a file with its
 * connection string. May be repeated: what is as it must be stays.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  connectMongo,
  knownRoles,
  serviceRoles,
  signatureOf,
  type UserDatabases,
  writePrivate,
} from '@rhizome/mongo';
import type { MongoClient } from 'mongodb';
import { DeploymentError } from '../deployment-error.js';
import { passwordIn, serviceUri } from './service-uri.js';

/** Options of {@link initUsers}. */
export interface InitOptions {
  readonly client: MongoClient;
  /** Connection string of the operator. */
  readonly uri: string;
  /** Folder of the files, `SERVICE.uri` each; created if there is none. */
  readonly folder: string;
  /** Databases of each service. */
  readonly services: UserDatabases;
  /** Gives users whose file is missing, or has another password, a new password. */
  readonly resetPasswords: boolean;
  /** Only plans. */
  readonly dryRun: boolean;
}

/** CREATE: the user did not exist. SET_ROLES: it had other roles. SET_PASSWORD: its password was unknown. */
export type UserAction = 'CREATE' | 'SET_ROLES' | 'SET_PASSWORD' | 'KEEP';

/** User of a service, and what was done, or would be. */
export interface ServiceUser {
  readonly user: string;
  readonly databases: readonly string[];
  readonly file: string;
  readonly actions: readonly UserAction[];
}

interface Plan extends ServiceUser {
  readonly uri: string;
  readonly password: string;
  readonly isFileNew: boolean;
}

const passwordBytes = 32;
const userName = /^[a-z][a-zA-Z0-9_-]{0,62}$/;

/**
 * Makes the users of services. A file is written before its user is made, so that no password is lost when
 * the process ends in between.
 * @throws DeploymentError if the password of a user is unknown and `resetPasswords` is false; nothing is
 *   changed then
 */
export async function initUsers(options: InitOptions): Promise<readonly ServiceUser[]> {
  const { client, services, folder, dryRun } = options;
  const wrong = Object.keys(services).find((name) => !userName.test(name));
  if (wrong !== undefined)
    throw new DeploymentError(
      `${JSON.stringify(wrong)} cannot be the name of a service; must be a letter, then letters, digits, "_" and "-"`,
    );
  const known = await knownRoles(client, Object.keys(services));
  const plans: Plan[] = [];
  for (const [user, databases] of Object.entries(services))
    plans.push(await plan(options, user, databases, known.get(user)));
  if (!dryRun) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const one of plans) await carryOut(client, one);
  }
  return plans.map(({ user, databases, file, actions }) => ({ user, databases, file, actions }));
}

async function plan(
  { uri, folder, resetPasswords }: InitOptions,
  user: string,
  databases: readonly string[],
  /** Signature of the roles that the user has; undefined if there is no such user. */
  roles: string | undefined,
): Promise<Plan> {
  const file = join(folder, `${user}.uri`);
  const stored = await readFile(file, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
  const known = stored === undefined ? undefined : passwordIn(stored, user);
  const password = known ?? randomBytes(passwordBytes).toString('base64url');
  const own = {
    ...{ user, databases, file, password },
    uri: known === undefined || stored === undefined ? serviceUri(uri, user, password) : stored,
    isFileNew: known === undefined,
  };
  if (roles === undefined) return { ...own, actions: ['CREATE'] };
  const isValid = known !== undefined && (await canConnect(own.uri));
  if (!isValid && !resetPasswords)
    throw new DeploymentError(
      `User ${user} exists, and ${file} does not have its password; put the file there, or set a new password with --reset-passwords`,
    );
  const actions: UserAction[] = [
    ...(isValid ? [] : (['SET_PASSWORD'] as const)),
    ...(roles === signatureOf(serviceRoles(databases)) ? [] : (['SET_ROLES'] as const)),
  ];
  return { ...own, actions: actions.length === 0 ? ['KEEP'] : actions };
}

async function carryOut(
  client: MongoClient,
  { user, databases, file, uri, password, isFileNew, actions }: Plan,
): Promise<void> {
  // Without a line end: Kubernetes passes the content of a file on as it is.
  if (isFileNew) await writePrivate(file, uri);
  // Whatever the umask or an earlier owner made of it.
  else await chmod(file, 0o600);
  if (actions.includes('KEEP')) return;
  const admin = client.db('admin');
  const roles = serviceRoles(databases);
  if (actions.includes('CREATE')) {
    await admin.command({ createUser: user, pwd: password, roles, mechanisms: ['SCRAM-SHA-256'] });
    return;
  }
  const pwd = actions.includes('SET_PASSWORD') ? { pwd: password, mechanisms: ['SCRAM-SHA-256'] } : {};
  await admin.command({ updateUser: user, roles, ...pwd });
}

async function canConnect(uri: string): Promise<boolean> {
  try {
    const client = await connectMongo({ uri, appName: 'rhizome-admin', serverSelectionTimeoutMs: 5000 });
    await client.close();
    return true;
  } catch {
    return false;
  }
}
