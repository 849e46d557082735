/** Checks of the database users: one for each service, with rights on its own databases alone. */
import { serverDatabases } from '@rhizome/mongo';
import type { MongoClient } from 'mongodb';
import { type Check, fail, type Finding, ok, warn } from './check.types.js';

interface Role {
  readonly role: string;
  readonly db: string;
}

interface User {
  readonly user: string;
  readonly roles: readonly Role[];
}

/** Checks of the users of the given databases. */
export function userChecks(client: MongoClient, databases: readonly string[]): readonly Check[] {
  return [{ check: 'users', run: () => users(client, databases) }];
}

async function users(client: MongoClient, databases: readonly string[]): Promise<readonly Finding[]> {
  const answer = await client.db('admin').command({ usersInfo: { forAllDBs: true } });
  const all = answer['users'] as readonly User[];
  return databases.map((database) => {
    const check = `user of ${database}`;
    const able = all.filter(({ roles }) => canServe(roles, database));
    const least = able.filter((one) => ownsAlone(one, all) && excessOf(one) === undefined);
    const names = (some: readonly User[]): string => some.map(({ user }) => user).join(', ');
    if (least.length > 0) return ok(check, names(least));
    const [excessive] = able.flatMap((one) => excessOf(one) ?? []);
    if (able.length > 0)
      return warn(
        check,
        excessive ?? `${names(able)} also has rights on databases of other users`,
        'make a user for each service with "rhizome admin init"',
      );
    return fail(
      check,
      'no user may read and write it and change its collections',
      'make a user for each service with "rhizome admin init"',
    );
  });
}

/** Returns true if no other user serves a database of the user: a service may have several. */
function ownsAlone({ user, roles }: User, all: readonly User[]): boolean {
  const databases = [...new Set(roles.map(({ db }) => db))];
  return databases.every(
    (database) => !all.some((other) => other.user !== user && canServe(other.roles, database)),
  );
}

/** Roles of a service; `read` adds nothing to them. */
const ofServices = new Set(['readWrite', 'dbAdmin', 'dbOwner', 'read']);

/** Rights of a user that no service needs, in words; undefined if it has none. */
function excessOf({ user, roles }: User): string | undefined {
  const extra = roles.find(({ role, db }) => !ofServices.has(role) || serverDatabases.has(db));
  if (extra) return `${user} also has the role ${extra.role} on ${extra.db}`;
  const served = [...new Set(roles.map(({ db }) => db))].filter((db) => canServe(roles, db));
  const experiment = served.find((db) => db.startsWith('exp_'));
  const other = served.find((db) => db !== experiment);
  if (experiment === undefined || other === undefined) return undefined;
  return `${user} serves ${experiment} and ${other}, which belong to different services`;
}

function canServe(roles: readonly Role[], database: string): boolean {
  const held = new Set(roles.filter(({ db }) => db === database).map(({ role }) => role));
  if (held.has('dbOwner')) return true;
  return held.has('readWrite') && held.has('dbAdmin');
}
