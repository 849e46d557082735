/** The socket for work units, without a pilot. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { silentLogger } from '@rhizome/log';
import { Scratch } from '../files/scratch.js';
import { AttemptRecord } from '../supervisor/attempt-record.js';
import { ScriptedUnits } from '../testing/scripted-units.js';
import { JobUnits, type JobUnitsParts } from './job-units.js';

let folder: string;
let units: ScriptedUnits;
let parts: JobUnitsParts;
let served: JobUnits;
const sockets: Socket[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'units-'));
  units = new ScriptedUnits(['one', 'two']);
  const folders = await new Scratch(folder).makeFolders('att_1');
  const record = new AttemptRecord(folder, 'att_1');
  await mkdir(record.folder);
  parts = { folders, record, calls: units, log: silentLogger() };
  served = await JobUnits.begin(parts);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await served.close();
  await rm(folder, { recursive: true, force: true });
});

type Answer = Record<string, unknown> & {
  readonly error?: { readonly code: string; readonly message: string };
};

/** A client at the socket. */
async function client() {
  const socket = connect(join(parts.folders.units, 'socket'));
  sockets.push(socket);
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  await once(socket, 'connect');
  return {
    socket,
    send: (...requests: readonly unknown[]) =>
      socket.write(
        requests.map((one) => `${typeof one === 'string' ? one : JSON.stringify(one)}\n`).join(''),
      ),
    /** The next answer; undefined at the end of the connection. */
    next: async (): Promise<Answer | undefined> => {
      const { value, done } = await lines.next();
      return done ? undefined : (JSON.parse(value) as Answer);
    },
  };
}

const lease = { op: 'lease', pool: 'slices' };

describe('the socket for work units', () => {
  it('leases, extends, completes and fails units', async () => {
    const { send, next } = await client();
    send({ id: 1, ...lease, max: 2 });
    const leased = await next();
    expect(leased).toMatchObject({
      ...{ id: 1, ok: true, isDrained: false },
      units: [{ id: 'unit_A.1.0', fence: 1, attempt: 1, key: 'key 1', payload: 'one' }, { payload: 'two' }],
    });
    send({ id: 2, op: 'extend', units: [{ id: 'unit_A.1.0', fence: 1 }] });
    expect(await next()).toEqual({ id: 2, ok: true, acceptedIds: ['unit_A.1.0'], errors: [] });
    send({ id: 'x', op: 'complete', units: [{ id: 'unit_A.1.0', fence: 1, result: 'r', seconds: 2 }] });
    expect(await next()).toEqual({ id: 'x', ok: true, acceptedIds: ['unit_A.1.0'], errors: [] });
    send({ op: 'fail', units: [{ id: 'unit_A.1.0', fence: 1, kind: 'RETURN' }] });
    expect(await next()).toMatchObject({
      ...{ id: null, ok: true, acceptedIds: [] },
      errors: [{ code: 'UNIT_NOT_HELD', path: ['units', '0', 'fence'] }],
    });
    expect(units.completed).toEqual([{ id: 'unit_A.1.0', fence: 1, result: 'r', seconds: 2 }]);
  });

  it('answers a line that is no request with the reason, and goes on', async () => {
    const { send, next } = await client();
    send('take', { id: 7, op: 'take' }, { id: 8, op: 'lease', pool: 'nowhere' }, { id: 9, ...lease });
    const answers = [await next(), await next(), await next(), await next()];
    expect(answers.map((answer) => [answer?.['id'], answer?.['ok'], answer?.error?.code])).toEqual([
      [null, false, 'INVALID_REQUEST'],
      [7, false, 'INVALID_REQUEST'],
      [8, false, 'POOL_NOT_FOUND'],
      [9, true, undefined],
    ]);
    expect(answers[1]?.error?.message).toContain('must be one of lease, complete, fail, extend');
  });

  it('refuses a line that is too long, and ends the connection', async () => {
    const { send, next } = await client();
    send('x'.repeat(2 * 1024 * 1024 + 1));
    expect(await next()).toMatchObject({ ok: false, error: { code: 'LINE_TOO_LONG' } });
    expect(await next()).toBeUndefined();
  });

  it('refuses leases beyond its bound, and still takes reports', async () => {
    units = new ScriptedUnits();
    units.isOpen = true;
    await served.close();
    const resumed = await JobUnits.resume({ ...parts, calls: units });
    if (resumed === undefined) throw new Error('not served again');
    served = resumed;
    const { send } = await client();
    const other = await client();
    send(...Array.from({ length: 16 }, (_, id) => ({ id, ...lease, waitSeconds: 60 })));
    while (units.waiting < 16) await new Promise(setImmediate);
    other.send({ id: 17, ...lease });
    expect(await other.next()).toMatchObject({ id: 17, ok: false, error: { code: 'TOO_MANY_REQUESTS' } });
    other.send({ id: 18, op: 'extend', units: [{ id: 'unit_A.1.0', fence: 1 }] });
    expect(await other.next()).toMatchObject({ id: 18, ok: true });
    // The leases of a client that disconnects end.
    sockets[0]?.destroy();
    while (units.waiting > 0) await new Promise(setImmediate);
    other.send({ id: 19, ...lease, waitSeconds: 60 });
    while (units.waiting < 1) await new Promise(setImmediate);
  });

  it('refuses connections beyond its bound', async () => {
    for (let count = 0; count < 32; count++) await client();
    const { next } = await client();
    expect(await next()).toMatchObject({ ok: false, error: { code: 'TOO_MANY_CLIENTS' } });
    expect(await next()).toBeUndefined();
  });

  it('ends with the attempt', async () => {
    units.isOpen = true;
    const { send, next } = await client();
    send({ ...lease, max: 2 }, { ...lease, waitSeconds: 60 });
    expect(await next()).toMatchObject({ ok: true });
    await served.close();
    expect(await next()).toBeUndefined();
    while (units.waiting > 0) await new Promise(setImmediate);
    await expect(client()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is served again by the next pilot, unless the payload has replaced its folder', async () => {
    await served.close();
    const resumed = await JobUnits.resume(parts);
    if (resumed === undefined) throw new Error('not served again');
    served = resumed;
    const { send, next } = await client();
    send(lease);
    expect(await next()).toMatchObject({ units: [{ payload: 'one' }] });
    await served.close();
    await mkdir(join(parts.folders.units, 'socket'));
    expect(await JobUnits.resume(parts)).toBeUndefined();
    await rename(parts.folders.units, `${parts.folders.units}.old`);
    await mkdir(parts.folders.units);
    expect(await JobUnits.resume(parts)).toBeUndefined();
  });
});
