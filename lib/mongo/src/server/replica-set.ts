import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '@rhizome/errors';
import { MongoClient, type Document } from 'mongodb';
import { replicaSetName, type Member } from './member.js';

const deadlineMs = 60_000;
const lookAgainMs = 20;

interface SetConfig {
  _id: string;
  version: number;
  term?: number;
  members: { _id: number; host: string }[];
  settings?: Document;
}

/** Runs `work` with a connection to this one member. */
async function withDirect<T>(member: Member, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(member.uri, {
    serverSelectionTimeoutMS: 10_000,
    appName: 'rhizome-embedded',
  });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Makes the members one replica set where they are none yet, and waits until each takes part. */
export async function formReplicaSet(members: readonly Member[]): Promise<void> {
  const stored = await Promise.all(members.map((member) => withDirect(member, storedConfig)));
  if (stored.every((config) => config === null)) await initiate(members);
  await untilReady(members);
}

/**
 * Writes new hosts into the configuration that stopped members have on disk, as MongoDB advises for a change
 * of all host names: each is started on its own for it. Started as members they would look for themselves at
 * the old addresses, where by now anybody may listen.
 */
export async function moveHosts(stopped: readonly Member[], hosts: readonly string[]): Promise<void> {
  try {
    await Promise.all(stopped.map((member) => member.start('standalone')));
    const stored = await Promise.all(stopped.map((member) => withDirect(member, storedConfig)));
    const newest = newestOf(stored);
    if (!newest) return;
    const moved = { ...newest, version: newest.version + 1, members: memberList(hosts) };
    await Promise.all(stopped.map((member) => withDirect(member, (client) => storeConfig(client, moved))));
  } finally {
    await Promise.all(stopped.map((member) => member.stop()));
  }
}

/**
 * The configuration is read from the member's own files: right after its start it may not yet know it
 * otherwise.
 */
async function storedConfig(client: MongoClient): Promise<SetConfig | null> {
  return client
    .db('local')
    .collection<SetConfig>('system.replset')
    .findOne({}, { readPreference: 'primaryPreferred' });
}

async function storeConfig(client: MongoClient, config: SetConfig): Promise<void> {
  await client
    .db('local')
    .collection<SetConfig>('system.replset')
    .replaceOne({ _id: config._id }, config, { upsert: true });
}

function newestOf(stored: readonly (SetConfig | null)[]): SetConfig | undefined {
  const age = ({ term = 0, version }: SetConfig): number => term * 1e9 + version;
  return stored.filter((config) => config !== null).sort((a, b) => age(b) - age(a))[0];
}

const memberList = (hosts: readonly string[]): { _id: number; host: string }[] =>
  hosts.map((host, _id) => ({ _id, host }));

// On one machine a dead primary shows at once; followers need not wait the ten seconds that a network
// deserves.
const settings = { electionTimeoutMillis: 2_000, heartbeatIntervalMillis: 500, heartbeatTimeoutSecs: 2 };

async function initiate(members: readonly Member[]): Promise<void> {
  const [first] = members;
  if (!first) return;
  const config = { _id: replicaSetName, members: memberList(members.map(({ host }) => host)), settings };
  await withDirect(first, (client) => insist(() => client.db('admin').command({ replSetInitiate: config })));
}

/** A server that has just started may not be ready for its configuration yet: asks again until it is. */
async function insist(command: () => Promise<Document>): Promise<void> {
  const notYet = [
    'NotYetInitialized',
    'ConfigurationInProgress',
    'NodeNotFound',
    'InterruptedDueToReplStateChange',
  ];
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    try {
      await command();
      return;
    } catch (error) {
      const name = (error as { codeName?: string }).codeName ?? '';
      if (name === 'AlreadyInitialized') return;
      if (!notYet.includes(name) || performance.now() > deadline) throw error;
      await delay(lookAgainMs);
    }
  }
}

/** Waits until one member is the writable primary and all others follow it. */
export async function untilReady(members: readonly Pick<Member, 'uri'>[]): Promise<void> {
  const observers = members.map(({ uri }) => new MemberObserver(uri));
  const deadline = performance.now() + deadlineMs;
  let states: string[] = [];
  try {
    for (;;) {
      states = await Promise.all(observers.map((observer) => observer.state()));
      const followers = states.filter((state) => state === 'SECONDARY').length;
      if (states.includes('PRIMARY') && followers === members.length - 1) return;
      if (performance.now() > deadline) break;
      await delay(lookAgainMs);
    }
  } finally {
    await Promise.all(observers.map((observer) => observer.close()));
  }
  throw new DomainError(
    'MONGOD_UNAVAILABLE',
    `the replica set has no primary with all followers: ${states.join(', ')}`,
    {
      field: 'replicaSet',
      value: states,
      expected: 'one PRIMARY, the others SECONDARY',
    },
  );
}

/** Asks one member for its state. */
class MemberObserver {
  readonly #uri: string;
  #client: MongoClient | undefined;

  constructor(uri: string) {
    this.#uri = uri;
  }

  async state(): Promise<string> {
    this.#client ??= new MongoClient(this.#uri, { serverSelectionTimeoutMS: 2_000, maxPoolSize: 1 });
    try {
      const hello = await this.#client.db('admin').command({ hello: 1 });
      if (hello['isWritablePrimary'] === true) return 'PRIMARY';
      return hello['secondary'] === true ? 'SECONDARY' : String(hello['info'] ?? 'STARTING');
    } catch (error) {
      // A client whose first connection failed, as on a busy machine, never connects again.
      await this.close();
      return error instanceof Error ? error.name : 'UNKNOWN';
    }
  }

  async close(): Promise<void> {
    await this.#client?.close();
    this.#client = undefined;
  }
}
