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
export async function withDirect<T>(member: Member, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(`mongodb://${member.host}/`, {
    directConnection: true,
    serverSelectionTimeoutMS: 10_000,
    appName: 'rhizome-embedded',
  });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Makes the members one replica set on the hosts they have now, and waits until each takes part. */
export async function formReplicaSet(members: readonly Member[]): Promise<void> {
  const stored = await Promise.all(members.map((member) => withDirect(member, storedConfig)));
  const newest = newestOf(stored);
  if (newest === undefined) await initiate(members);
  else {
    const { config, index } = newest;
    const leader = members[index];
    if (leader && !hasHosts(config, members)) await reconfigure(leader, config, members);
  }
  await untilReady(members);
}

/** The configuration is read from the member's own files: right after its start it may not yet know it otherwise. */
async function storedConfig(client: MongoClient): Promise<SetConfig | null> {
  return client
    .db('local')
    .collection<SetConfig>('system.replset')
    .findOne({}, { readPreference: 'primaryPreferred' });
}

function newestOf(stored: readonly (SetConfig | null)[]): { config: SetConfig; index: number } | undefined {
  let best: { config: SetConfig; index: number } | undefined;
  stored.forEach((config, index) => {
    if (!config) return;
    const age = (c: SetConfig): number => (c.term ?? 0) * 1e9 + c.version;
    if (!best || age(config) > age(best.config)) best = { config, index };
  });
  return best;
}

function hasHosts(config: SetConfig, members: readonly Member[]): boolean {
  const hosts = config.members.map(({ host }) => host).sort();
  return (
    hosts.join() ===
    members
      .map(({ host }) => host)
      .sort()
      .join()
  );
}

const memberList = (members: readonly Member[]): Document[] =>
  members.map(({ host }, _id) => ({ _id, host }));

// On one machine a dead primary shows at once; followers need not wait the ten seconds that a network deserves.
const settings = { electionTimeoutMillis: 2_000, heartbeatIntervalMillis: 500, heartbeatTimeoutSecs: 2 };

async function initiate(members: readonly Member[]): Promise<void> {
  const [first] = members;
  if (!first) return;
  const config = { _id: replicaSetName, members: memberList(members), settings };
  await withDirect(first, (client) => insist(() => client.db('admin').command({ replSetInitiate: config })));
}

/** The ports changed, or members came: no majority can be asked, so the new hosts are set by force. */
async function reconfigure(leader: Member, config: SetConfig, members: readonly Member[]): Promise<void> {
  const next = {
    ...config,
    version: config.version + 1,
    members: memberList(members),
    settings: { ...config.settings, ...settings },
  };
  await withDirect(leader, (client) =>
    insist(() => client.db('admin').command({ replSetReconfig: next, force: true })),
  );
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
export async function untilReady(members: readonly Member[]): Promise<void> {
  const clients = members.map(
    ({ host }) =>
      new MongoClient(`mongodb://${host}/`, {
        directConnection: true,
        serverSelectionTimeoutMS: 2_000,
        maxPoolSize: 1,
      }),
  );
  const deadline = performance.now() + deadlineMs;
  let states: string[] = [];
  try {
    for (;;) {
      states = await Promise.all(clients.map(stateOf));
      const followers = states.filter((state) => state === 'SECONDARY').length;
      if (states.includes('PRIMARY') && followers === members.length - 1) return;
      if (performance.now() > deadline) break;
      await delay(lookAgainMs);
    }
  } finally {
    await Promise.all(clients.map((client) => client.close()));
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

async function stateOf(client: MongoClient): Promise<string> {
  try {
    const hello = await client.db('admin').command({ hello: 1 });
    if (hello['isWritablePrimary'] === true) return 'PRIMARY';
    return hello['secondary'] === true ? 'SECONDARY' : String(hello['info'] ?? 'STARTING');
  } catch (error) {
    return error instanceof Error ? error.name : 'UNKNOWN';
  }
}
