import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger, silentLogger } from '@rhizome/log';
import type { MongoClient } from 'mongodb';
import { resolveMongod } from '../binary/resolve.js';
import { required } from '../required.fixture.js';
import { isAlive } from '../process.js';
import { connectMongo } from '../store/connect.js';
import { startMongod, type RunningMongod, type StartOptions } from './start.js';

let binary = '';
let root = '';
const running: RunningMongod[] = [];
const squatters: { server: Server; sockets: Socket[] }[] = [];

beforeAll(async () => {
  binary = await resolveMongod();
  root = await mkdtemp(join(tmpdir(), 'rhizome-mongod-'));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((mongod) => mongod.stop()));
  squatters.splice(0).forEach(({ server, sockets }) => {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  });
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function start(folder: string, options: Partial<StartOptions> = {}): Promise<RunningMongod> {
  const mongod = await startMongod({ binary, dataDir: join(root, folder), log: silentLogger(), ...options });
  running.push(mongod);
  return mongod;
}

async function withClient<T>(uri: string, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = await connectMongo({ uri, appName: 'test', serverSelectionTimeoutMs: 30_000 });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

const write = (uri: string, _id: string): Promise<unknown> =>
  withClient(uri, (client) => client.db('test').collection<{ _id: string }>('kept').insertOne({ _id }));
const read = (uri: string): Promise<string[]> =>
  withClient(uri, async (client) =>
    (await client.db('test').collection<{ _id: string }>('kept').find().sort({ _id: 1 }).toArray()).map(
      ({ _id }) => _id,
    ),
  );

interface CollectionStats {
  readonly wiredTiger: { readonly uri: string };
}

/** Listens on a port, accepts connections and sends nothing. */
async function squat(port = 0): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket)).listen(port, '127.0.0.1');
  squatters.push({ server, sockets });
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

/** Waits until the kernel has removed the processes. */
async function untilGone(pids: readonly number[]): Promise<void> {
  const started = performance.now();
  while (pids.some(isAlive)) {
    if (performance.now() - started > 60_000)
      throw new Error(`still running: ${pids.filter(isAlive).join()}`);
    await delay(20);
  }
}

describe('one member', () => {
  it('serves majority writes, transactions and change streams, and ends on stop', async () => {
    const mongod = await start('one');
    await withClient(mongod.uri, async (client) => {
      const jobs = client.db('test').collection<{ _id: string }>('jobs');
      await client.withSession(async (session) => {
        await session.withTransaction(async () => {
          await jobs.insertOne({ _id: 'a' }, { session });
          await jobs.insertOne({ _id: 'b' }, { session });
        });
        const stream = jobs.watch([], { startAtOperationTime: required(session.operationTime) });
        expect(
          [await stream.next(), await stream.next()].map(
            (event) => (event as { documentKey: { _id: string } }).documentKey._id,
          ),
        ).toEqual(['a', 'b']);
        await stream.close();
      });
    });
    await mongod.stop();
    expect(mongod.members.map(({ pid }) => isAlive(pid))).toEqual([false]);
    await mongod.stop();
  });

  it('keeps its data, on the same port and on another one', async () => {
    const first = await start('again');
    await write(first.uri, 'first');
    await first.stop();
    const second = await start('again');
    expect(second.ports).toEqual(first.ports);
    await write(second.uri, 'second');
    await second.stop();
    // Another process has the port now.
    await squat(second.ports[0]);
    const third = await start('again');
    expect(third.ports).not.toEqual(second.ports);
    expect(await read(third.uri)).toEqual(['first', 'second']);
    await write(third.uri, 'third');
  });

  it('reports a requested port that is in use', async () => {
    const port = await squat();
    await expect(start('taken', { port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining(String(port)),
    });
  });

  it('reports a folder in use, whose server keeps running', async () => {
    const mongod = await start('used');
    await expect(start('used')).rejects.toMatchObject({
      code: 'MONGOD_UNAVAILABLE',
      message: expect.stringContaining(`process ${process.pid} uses it`),
    });
    await write(mongod.uri, 'still here');
  });

  it('reports why a binary fails, and leaves no process', async () => {
    await expect(start('broken', { binary: '/bin/false' })).rejects.toMatchObject({
      code: 'MONGOD_UNAVAILABLE',
      message: expect.stringMatching(/\/bin\/false ended with status 1/),
    });
    const record = JSON.parse(await readFile(join(root, 'broken', 'replica-set.json'), 'utf8')) as object;
    expect(record).not.toHaveProperty('owner');
  });

  it('keeps acknowledged writes after SIGKILL', async () => {
    const mongod = await start('killed');
    const member = required(mongod.members[0]);
    await write(mongod.uri, 'acknowledged');
    const { pid } = member;
    await member.kill('SIGKILL');
    expect([isAlive(pid), member.isRunning]).toEqual([false, false]);
    await member.restart();
    expect(member.pid).not.toBe(pid);
    expect(await read(mongod.uri)).toEqual(['acknowledged']);
  });

  it('closes the files of dropped collections when its history is over', async () => {
    const history = { snapshotHistorySeconds: 1, checkpointSeconds: 1 };
    const { uri } = await start('dropped', history);
    await withClient(uri, async (client) => {
      const dropped = await client.db('test').createCollection('dropped');
      const { wiredTiger } = (await client.db('test').command({ collStats: 'dropped' })) as CollectionStats;
      const file = `${wiredTiger.uri.replace('statistics:table:', '')}.wt`;
      const dataFiles = (): Promise<string[]> => readdir(join(root, 'dropped', 'member-0'));
      expect(await dataFiles()).toContain(file);
      await dropped.drop();
      // The history advances with writes.
      const writes = client.db('other').collection('writes');
      const started = performance.now();
      do {
        await writes.insertOne({});
        await delay(100);
      } while ((await dataFiles()).includes(file) && performance.now() - started < 120_000);
      expect(await dataFiles()).not.toContain(file);
    });
  });

  it('logs and reports an unexpected exit, and no requested one', async () => {
    let heard: (line: string) => void = () => undefined;
    const line = new Promise<string>((resolve) => (heard = resolve));
    const log = createLogger({ name: 'test', level: 'error', destination: { write: (text) => heard(text) } });
    const reports: string[] = [];
    const onUnexpectedExit = (reason: string): void => void reports.push(reason);
    await (await start('asked', { onUnexpectedExit })).stop();
    const mongod = await start('unasked', { log, onUnexpectedExit });
    process.kill(required(mongod.members[0]).pid, 'SIGKILL');
    expect(JSON.parse(await line)).toMatchObject({
      port: mongod.ports[0],
      status: 137,
      msg: 'mongod ended unexpectedly',
    });
    expect(reports).toEqual([
      expect.stringContaining(`mongod on port ${mongod.ports[0]} ended with status 137: `),
    ]);
  });
});

describe('replica set of three members', () => {
  it('continues when one is killed, accepts it again, and keeps its data after all ports changed', async () => {
    const mongod = await start('three', { members: 3 });
    expect(new Set(mongod.members.map(({ pid }) => pid)).size).toBe(3);
    await write(mongod.uri, 'before');
    const leader = await withClient(mongod.uri, async (client) => {
      const hello = await client.db('admin').command({ hello: 1 });
      return mongod.members.find(({ port }) => String(hello['primary']).endsWith(`:${port}`));
    });
    await required(leader).kill('SIGKILL');
    await write(mongod.uri, 'with two');
    await required(leader).restart();
    await mongod.stop();
    expect(mongod.members.map(({ pid }) => isAlive(pid))).toEqual([false, false, false]);
    await Promise.all(mongod.ports.map((port) => squat(port)));
    const moved = await start('three', { members: 3 });
    expect(moved.ports.filter((port) => mongod.ports.includes(port))).toEqual([]);
    expect(await read(moved.uri)).toEqual(['before', 'with two']);
  });

  it('starts from one member with its data, and refuses to shrink to one', async () => {
    const one = await start('grown');
    await write(one.uri, 'from one');
    await one.stop();
    const three = await start('grown', { members: 3 });
    expect(await read(three.uri)).toEqual(['from one']);
    await three.stop();
    await expect(start('grown', { members: 1 })).rejects.toMatchObject({ code: 'MONGOD_UNAVAILABLE' });
  });
});

describe('parent that is killed with SIGKILL', () => {
  const script = fileURLToPath(new URL('./owner.fixture.js', import.meta.url));

  async function owner(
    folder: string,
    members: number,
  ): Promise<{ kill: () => Promise<void>; pids: number[]; uri: string }> {
    const child = spawn(process.execPath, [script, binary, join(root, folder), String(members)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { pids, uri } = JSON.parse(line) as { pids: number[]; uri: string };
    const kill = async (): Promise<void> => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    };
    return { kill, pids, uri };
  }

  it.each([1, 3])('takes its %d mongod with it, and the data is there at the next start', async (members) => {
    const { kill, pids, uri } = await owner(`parent-${members}`, members);
    await write(uri, 'kept');
    await kill();
    await untilGone(pids);
    const next = await start(`parent-${members}`, { members: members as 1 | 3 });
    expect(await read(next.uri)).toEqual(['kept']);
  });

  it('leaves a process, if its watchdog is killed too, that the next start stops first', async () => {
    const { kill, pids, uri } = await owner('leftover', 1);
    await write(uri, 'kept');
    const parents = pids.map((pid) =>
      Number(spawnSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }).stdout),
    );
    for (const shell of parents) {
      // Both shells of the watchdog: the guard first, then the one that waits.
      const guards = spawnSync('ps', ['-o', 'pid=,args=', '--ppid', String(shell)], {
        encoding: 'utf8',
      }).stdout;
      for (const [, pid] of guards.matchAll(/^\s*(\d+) \/bin\/sh/gm)) process.kill(Number(pid), 'SIGKILL');
      process.kill(shell, 'SIGKILL');
    }
    await kill();
    await untilGone(parents);
    expect(pids.map(isAlive)).toEqual([true]);
    const next = await start('leftover');
    expect(pids.map(isAlive)).toEqual([false]);
    expect(await read(next.uri)).toEqual(['kept']);
  });

  it('leaves no process after an exit without stop()', async () => {
    const child = spawn(process.execPath, [script, binary, join(root, 'exit'), '1', 'exit'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    await untilGone((JSON.parse(line) as { pids: number[] }).pids);
  });
});
