import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { connectMongo } from '@rhizome/mongo';
import { watchFile } from './file-teardown.js';
import { storePorts, testDatabase, testMongo } from './mongo.js';
import { leakedHandles, openHandles } from './open-handles.js';

// Tests of this package use a build of their own, which the set-up of each file does not know.
watchFile();

describe('open handles of a test', () => {
  it('names a process, a server and a client of the store while they are open', async () => {
    const { uri } = await testMongo();
    const baseline = openHandles();
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = await connectMongo({ uri, appName: 'forgotten' });

    const leaked = (await leakedHandles(baseline, storePorts())).join('\n');
    expect(leaked).toContain(`process ${child.pid}`);
    expect(leaked).toContain('server on');
    expect(leaked).toContain('connection to MongoDB');

    child.kill('SIGKILL');
    server.close();
    await client.close();
    expect(await leakedHandles(baseline, storePorts())).toEqual([]);
  });
});

describe('store of tests', () => {
  it('is a real replica set with separate databases', async () => {
    const { client } = await testMongo();
    const hello = await client.db('admin').command({ hello: 1 });
    expect(hello['setName']).toBeTruthy();
    const [one, two] = [await testDatabase(), await testDatabase()];
    await one.collection('things').insertOne({ name: 'here' });
    expect(await two.collection('things').countDocuments()).toBe(0);
    expect(await one.collection('things').countDocuments()).toBe(1);
  });
});
