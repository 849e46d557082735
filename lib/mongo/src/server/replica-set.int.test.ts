import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { untilReady } from './replica-set.js';
import { type RunningMongod, startMongod } from './start.js';

let folder: string;
let mongod: RunningMongod;
let proxy: Server;
let isReachable = false;
let refused = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rhizome-set-'));
  mongod = await startMongod({ dataDir: folder, log: silentLogger() });
  proxy = createServer((socket) => {
    socket.on('error', () => undefined);
    if (!isReachable) {
      refused += 1;
      socket.destroy();
      return;
    }
    const upstream = connect(mongod.ports[0] ?? 0, '127.0.0.1');
    upstream.on('error', () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
});

afterAll(async () => {
  proxy.close();
  await mongod.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('untilReady', () => {
  it('finds a member that accepts no connection for longer than a client tries', async () => {
    const { port } = proxy.address() as AddressInfo;
    const uri = mongod.uri
      .replace(/@[^/]+/, `@127.0.0.1:${port}`)
      .replace(/replicaSet=[^&]+/, 'directConnection=true');
    // Longer than a client waits for its first connection.
    setTimeout(() => (isReachable = true), 3_000);
    await untilReady([{ uri }]);
    expect(refused).toBeGreaterThan(0);
  });
});
