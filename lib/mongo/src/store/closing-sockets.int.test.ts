import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { connectMongo } from './connect.js';
import { openTestStore, type TestStore } from './database.fixture.js';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

const channel = 'net.client.socket';

it('runs an operation on another connection if its own is closing', async () => {
  const sockets: Socket[] = [];
  const note = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket);
  subscribe(channel, note);
  const client = await connectMongo({ uri: store.uri, appName: 'tests', maxPoolSize: 1 });
  try {
    const things = client.db(store.database().databaseName).collection<{ _id: string }>('things');
    await things.insertOne({ _id: 'before' });
    expect(sockets.length).toBeGreaterThan(1);
    // As when the server dies: the sockets are destroyed, and no event was emitted.
    for (const socket of sockets) socket.destroy();
    await things.insertOne({ _id: 'while closing' });
    expect(await things.countDocuments()).toBe(2);
  } finally {
    unsubscribe(channel, note);
    await client.close();
  }
});
