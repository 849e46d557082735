/** The socket for work units, without a pilot. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
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
async function client(allowHalfOpen = false) {
  const socket = connect({ path: join(parts.folders.units, 'socket'), allowHalfOpen });
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

/** Waits for something that another part of this process does; the test's time limit ends it. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(setImmediate);
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close');
}

/** Leaves a request as `rhizome-job units` does. */
async function leave(name: string, ...lines: readonly string[]): Promise<void> {
  await writeFile(join(parts.folders.units, `${name}.request`), [...lines, 'end\n'].join('\n'));
}

/** The lines of an answer, once there is one. */
async function answerTo(name: string): Promise<readonly string[]> {
  const path = join(parts.folders.units, `${name}.answer`);
  await until(() => existsSync(path));
  return readFileSync(path, 'utf8').trimEnd().split('\n');
}

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
    answers.sort((one, other) => Number(one?.['id']) - Number(other?.['id']));
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

  it('closes a refused connection whose client keeps it open', async () => {
    for (let count = 0; count < 32; count++) await client();
    const { socket } = await client(true);
    // Its end stays open; only a write shows that nobody reads.
    const closing = once(socket, 'close');
    const sending = setInterval(() => socket.write('x'), 50);
    await expect(closing.finally(() => clearInterval(sending))).rejects.toMatchObject({
      code: expect.stringMatching(/EPIPE|ECONNRESET/),
    });
  });

  it('ends the connection of a client that sends many lines that are no requests', async () => {
    const { socket, next } = await client();
    socket.write('x\n'.repeat(10_000));
    const codes = new Map<unknown, number>();
    for (let answer = await next(); answer !== undefined; answer = await next())
      codes.set(answer.error?.code, (codes.get(answer.error?.code) ?? 0) + 1);
    expect([...codes]).toEqual([['INVALID_REQUEST', 100]]);
  });

  it('serves many requests at once, and others between them', async () => {
    const { send, next } = await client();
    const other = await client();
    send(...Array.from({ length: 2000 }, () => ({ id: 1, op: 'lease', pool: 'nowhere' })));
    other.send({ id: 2, ...lease });
    expect(await other.next()).toMatchObject({ id: 2, ok: true });
    for (let count = 0; count < 2000; count++) expect(await next()).toMatchObject({ id: 1, ok: false });
  });

  it('returns units whose client has disconnected meanwhile', async () => {
    const { socket, send } = await client();
    const scripted = units.lease;
    let answer = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      const late: typeof scripted = async (request) => {
        resolve();
        await new Promise<void>((release) => (answer = release));
        return scripted(request, new AbortController().signal);
      };
      Object.assign(units, { lease: late });
    });
    send({ ...lease, max: 2 });
    await asked;
    socket.destroy();
    await closed(socket);
    answer();
    await until(() => units.failed.length === 2);
    expect(units.failed.map(({ id, kind }) => [id, kind])).toEqual([
      ['unit_A.1.0', 'RETURN'],
      ['unit_A.1.1', 'RETURN'],
    ]);
  });

  it('ends with the attempt', async () => {
    units.isOpen = true;
    const { send, next } = await client();
    send({ ...lease, max: 2 }, { ...lease, waitSeconds: 60 });
    expect(await next()).toMatchObject({ ok: true });
    await served.close();
    expect(await next()).toBeUndefined();
    while (units.waiting > 0) await new Promise(setImmediate);
    await expect(client()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
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
    await rename(parts.folders.units, `${parts.folders.units}.old`);
    await mkdir(parts.folders.units);
    expect(await JobUnits.resume(parts)).toBeUndefined();
  });
});

describe('the folder for work units', () => {
  it('returns units whose files cannot be written, and serves the request once', async () => {
    await rm(join(parts.folders.units, 'batches'), { recursive: true });
    await leave('a', 'lease 2 0 files slices');
    expect(await answerTo('a')).toEqual(['74', expect.stringContaining('ENOENT')]);
    expect(units.failed.map(({ kind }) => kind)).toEqual(['RETURN', 'RETURN']);
    await leave('b', 'lease 2 0 files nowhere');
    expect((await answerTo('b'))[0]).toBe('65');
    expect(units.leases).toBe(1);
  });

  it('returns units whose answer cannot be written', async () => {
    await mkdir(join(parts.folders.units, 'a.answer'));
    await leave('a', 'lease 2 0 files slices');
    await until(() => units.failed.length === 2);
    await until(() => !existsSync(join(parts.folders.units, 'a.request')));
    expect(await readdir(join(parts.folders.units, 'batches'))).toEqual([]);
    expect(units.leases).toBe(1);
  });

  it('takes reports while leases wait, and ends a lease that is withdrawn', async () => {
    await leave('first', 'lease 2 0 files slices');
    await answerTo('first');
    units.isOpen = true;
    for (let count = 10; count < 30; count++) await leave(`a${count}`, 'lease 1 60 files slices');
    await until(() => units.waiting === 16);
    await leave('b', 'extend unit_A.1.0 1');
    await until(() => units.extended.length === 1);
    // One that waits for core, and one that waits for its turn.
    await leave('c', 'withdraw a10', 'withdraw a29');
    expect(await answerTo('a10')).toEqual(['0', 'none']);
    expect(await answerTo('a29')).toEqual(['0', 'none']);
    await until(() => units.waiting === 16 && !existsSync(join(parts.folders.units, 'c.request')));
  });

  it('answers what is no request, and removes answers that were read', async () => {
    await leave('a', `lease 1 1 files ${'x'.repeat(300)}`);
    expect(await answerTo('a')).toEqual(['65', expect.stringContaining('1 to 100 characters')]);
    await leave('b', 'seen a', 'lease 1 1 files slices');
    await answerTo('b');
    await until(() => !existsSync(join(parts.folders.units, 'a.answer')));
  });

  it('fails a unit whose result is no text, and completes the others', async () => {
    await leave('a', 'lease 2 0 files slices');
    const [, message = '', ...lines] = await answerTo('a');
    const [word, count, leaseSeconds, batch = ''] = message.split(' ');
    expect([word, count, leaseSeconds]).toEqual(['units', '2', '60']);
    expect(lines).toEqual(['unit unit_A.1.0 1 1 payload - - key 1', 'unit unit_A.1.1 1 1 payload - - key 2']);
    const batches = join(parts.folders.units, 'batches');
    await writeFile(join(batches, `${batch}-1.result`), Buffer.from([0xff, 0xfe]));
    await writeFile(join(batches, `${batch}-2.result`), 'good');
    await leave('b', `complete unit_A.1.0 1 - ${batch}-1`, `complete unit_A.1.1 1 - ${batch}-2`);
    expect(await answerTo('b')).toEqual(['0', 'reported 1 1', expect.stringContaining('not text in UTF-8')]);
    expect(units.completed).toMatchObject([{ id: 'unit_A.1.1', result: 'good' }]);
    expect(units.failed).toMatchObject([{ id: 'unit_A.1.0', kind: 'DEAD' }]);
    expect(await readdir(batches)).toEqual([]);
  });

  it('removes no folder in place of a file', async () => {
    const inner = join(parts.folders.units, 'batches', 'x-1.result', 'inner');
    await mkdir(inner, { recursive: true });
    await leave('a', 'fail unit_A.1.0 1 DEAD x-1 wrong');
    expect((await answerTo('a'))[1]).toBe('reported 0 0');
    expect(existsSync(inner)).toBe(true);
  });

  it('is served without a socket if the payload has put something in its place', async () => {
    await served.close();
    const path = join(parts.folders.units, 'socket');
    await rm(path);
    await mkdir(path);
    const resumed = await JobUnits.resume(parts);
    if (resumed === undefined) throw new Error('not served again');
    served = resumed;
    await leave('a', 'lease 2 0 files slices');
    expect((await answerTo('a'))[1]).toMatch(/^units 2 60 /);
    expect((await readdir(parts.folders.units)).filter((name) => name.startsWith('socket'))).toEqual([
      'socket',
    ]);
  });

  it('is not served by a pilot that finds a file in place of its folders, which does not fail', async () => {
    await served.close();
    const path = join(parts.folders.units, 'batches');
    await rm(path, { recursive: true });
    await writeFile(path, '');
    expect(await JobUnits.resume(parts)).toBeUndefined();
  });

  it('leaves the socket of its successor', async () => {
    const earlier = served;
    const resumed = await JobUnits.resume(parts);
    if (resumed === undefined) throw new Error('not served again');
    await earlier.close();
    served = resumed;
    const { send, next } = await client();
    send(lease);
    expect(await next()).toMatchObject({ ok: true });
  });
});
