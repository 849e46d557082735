/** Checks of the MongoDB servers. */
import { type Document, type MongoClient, MongoServerError } from 'mongodb';
import { type Check, fail, type Finding, ok, warn } from './check.types.js';

/** Oldest version of MongoDB that Rhizome works with. */
const oldestMajor = 6;
/** Difference between the clocks that is noticed, and that breaks logins, in milliseconds. */
const clock = { warnMs: 1000, failMs: 30_000 };
/** Delay of a member behind the primary that is noticed, in milliseconds. */
const lagMs = 10_000;
/** Part of a file system that may be in use. */
const disk = { warn: 0.8, fail: 0.92 };
/** Error code of the server: the user may not do this. */
const unauthorized = 13;
/** Hours that the oplog should reach back: clients and experiments resume their streams from it. */
const oplogHours = 24;

/** Checks of the servers behind a connection. */
export function serverChecks(client: MongoClient, now: () => number): readonly Check[] {
  const admin = client.db('admin');
  return [
    { check: 'version', run: () => version(admin) },
    { check: 'replica set', run: () => replicaSet(admin) },
    { check: 'write concern', run: () => writeConcern(admin) },
    { check: 'transport', run: () => Promise.resolve(transport(client)) },
    { check: 'access control', run: () => accessControl(client) },
    { check: 'clock', run: () => clockDifference(admin, now) },
    { check: 'oplog', run: () => oplog(client) },
  ];
}

type Db = ReturnType<MongoClient['db']>;

async function version(admin: Db): Promise<readonly Finding[]> {
  const { version: found } = (await admin.command({ buildInfo: 1 })) as { version?: string };
  const text = String(found);
  if (Number(text.split('.')[0]) < oldestMajor)
    return [fail('version', text, `use MongoDB ${oldestMajor}.0 or later`)];
  const parameter = await admin.command({ getParameter: 1, featureCompatibilityVersion: 1 });
  const { version: features } = parameter['featureCompatibilityVersion'] as { version?: string };
  if (!text.startsWith(`${features}.`))
    return [
      ok('version', text),
      warn(
        'feature version',
        String(features),
        `after the upgrade, set it: setFeatureCompatibilityVersion ${text.split('.').slice(0, 2).join('.')}`,
      ),
    ];
  return [ok('version', text)];
}

interface Member {
  readonly name: string;
  readonly stateStr: string;
  readonly health: number;
  readonly optimeDate: Date;
}

async function replicaSet(admin: Db): Promise<Finding> {
  const check = 'replica set';
  const hello = await admin.command({ hello: 1 });
  if (hello['msg'] === 'isdbgrid') return ok(check, 'a sharded cluster');
  if (hello['setName'] === undefined)
    return fail(check, 'a single mongod', 'start it with --replSet, and run rs.initiate() once');
  const { members } = (await admin.command({ replSetGetStatus: 1 })) as unknown as { members: Member[] };
  const down = members.filter(({ health }) => health !== 1).map(({ name }) => name);
  if (down.length > 0) return fail(check, `not reachable: ${down.join(', ')}`, 'start these members');
  const primary = members.find(({ stateStr }) => stateStr === 'PRIMARY');
  if (!primary) return fail(check, 'no primary', 'start more than half of the members');
  const behind = members.filter(
    ({ stateStr, optimeDate }) =>
      stateStr === 'SECONDARY' && primary.optimeDate.getTime() - optimeDate.getTime() > lagMs,
  );
  if (behind.length > 0)
    return warn(
      check,
      `more than ${lagMs / 1000} s behind: ${behind.map(({ name }) => name).join(', ')}`,
      'check disks and network of these members',
    );
  const text = `${String(hello['setName'])}, ${members.length} ${members.length === 1 ? 'member' : 'members'}`;
  return members.length < 3
    ? warn(check, text, 'use three members, so that the loss of one stops nothing')
    : ok(check, text);
}

async function writeConcern(admin: Db): Promise<Finding> {
  const found = await admin.command({ getDefaultRWConcern: 1 });
  const { w } = (found['defaultWriteConcern'] ?? {}) as { w?: unknown };
  return w === 'majority'
    ? ok('write concern', 'majority')
    : warn(
        'write concern',
        String(w ?? 1),
        "set it: setDefaultRWConcern {defaultWriteConcern: {w: 'majority'}}; Rhizome asks for it with each of its writes",
      );
}

function transport(client: MongoClient): Finding {
  const { tls, hosts } = client.options;
  const outside = hosts.filter(({ host }) => !isLoopback(host ?? '')).map(({ host }) => host);
  if (tls) return ok('transport', 'TLS');
  return outside.length === 0
    ? ok('transport', 'without TLS, within this host')
    : fail(
        'transport',
        `without TLS to ${outside.join(', ')}`,
        'set tls=true in the connection string, and net.tls in the configuration of mongod',
      );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

async function accessControl(client: MongoClient): Promise<Finding> {
  const check = 'access control';
  const status = (await client.db('admin').command({ connectionStatus: 1 })) as {
    authInfo?: { authenticatedUsers?: readonly unknown[] };
  };
  const cure = 'start mongod with --auth or --keyFile, and make users with "rhizome admin init"';
  if ((status.authInfo?.authenticatedUsers ?? []).length === 0)
    return fail(check, 'this connection has no user', cure);
  // A server without access control accepts logins, too.
  return (await enforcesAccess(client))
    ? ok(check, 'on')
    : fail(check, 'off: the server has users, and asks nobody for one', cure);
}

async function enforcesAccess(client: MongoClient): Promise<boolean> {
  try {
    const options = await client.db('admin').command({ getCmdLineOpts: 1 });
    const { security = {} } = options['parsed'] as { security?: Readonly<Record<string, unknown>> };
    const isTransition = security['transitionToAuth'] === true;
    const byMembers = security['keyFile'] ?? security['clusterAuthMode'];
    return security['authorization'] === 'enabled' || (byMembers !== undefined && !isTransition);
  } catch (error) {
    if (error instanceof MongoServerError && error.code === unauthorized) return true;
    throw error;
  }
}

async function clockDifference(admin: Db, now: () => number): Promise<Finding> {
  const before = now();
  const hello = await admin.command({ hello: 1 });
  const there = (hello['localTime'] as Date).getTime();
  const difference = Math.round(there - (before + now()) / 2);
  const text = `${difference} ms from this host`;
  const cure = 'synchronise the clocks of all hosts, for example by chrony';
  if (Math.abs(difference) > clock.failMs) return fail('clock', text, cure);
  return Math.abs(difference) > clock.warnMs ? warn('clock', text, cure) : ok('clock', text);
}

async function oplog(client: MongoClient): Promise<Finding | readonly Finding[]> {
  // Only the shards have one.
  if ((await client.db('admin').command({ hello: 1 }))['msg'] === 'isdbgrid') return [];
  const log = client.db('local').collection('oplog.rs');
  const [first] = await log.find({}, { sort: { $natural: 1 }, limit: 1, projection: { wall: 1 } }).toArray();
  const [last] = await log.find({}, { sort: { $natural: -1 }, limit: 1, projection: { wall: 1 } }).toArray();
  const [stats] = await log.aggregate<Document>([{ $collStats: { storageStats: {} } }]).toArray();
  const { size, maxSize } = (stats?.['storageStats'] ?? {}) as { size: number; maxSize: number };
  const hours = ((last?.['wall'] as Date).getTime() - (first?.['wall'] as Date).getTime()) / 3_600_000;
  // Until it is full, its reach follows from the rate so far. The rate of a start says little.
  const isFilling = size < maxSize * 0.9;
  const full = isFilling ? hours * (maxSize / size) : hours;
  if (isFilling && hours < 1)
    return ok('oplog', `${Math.round(maxSize / 1024 / 1024)} MiB, too young to judge`);
  const text = `${Math.round(maxSize / 1024 / 1024)} MiB, reaches back ${full >= 100 ? Math.round(full) : full.toFixed(1)} h`;
  return full < oplogHours
    ? warn('oplog', text, `enlarge it with replSetResizeOplog, so that it reaches back ${oplogHours} h`)
    : ok('oplog', text);
}

/** Check of the file system that has a database. */
export async function diskSpace(db: Db): Promise<Finding> {
  const stats = (await db.command({ dbStats: 1 })) as unknown as Readonly<
    Record<'fsUsedSize' | 'fsTotalSize' | 'totalSize', number>
  >;
  const used = stats.fsUsedSize / stats.fsTotalSize;
  const text = `${gib(stats.totalSize)} GiB; file system ${Math.round(used * 100)} % of ${gib(stats.fsTotalSize)} GiB`;
  if (used > disk.fail)
    return fail('disk', text, 'enlarge the file system at once: a full one stops MongoDB');
  return used > disk.warn
    ? warn('disk', text, 'enlarge the file system before it is full')
    : ok('disk', text);
}

const gib = (bytes: number): string => (bytes / 1024 ** 3).toFixed(1);
