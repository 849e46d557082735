import { beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { ensureCollections } from '@rhizome/mongo';
import { manualClock, type TestDatabase, testDatabase } from '@rhizome/testkit';
import { buildSchema, parse } from 'graphql';
import type { OperationInfo } from '@rhizome/federation';
import { fieldUsesCollection } from '../store/field-use.document.js';
import { operationsCollection } from '../store/operation.document.js';
import { useRecordingsCollection } from '../store/use-recording.document.js';
import { UsesRepository } from '../store/uses.repository.js';
import { UseReader } from './use-reader.js';
import { UseRecorder } from './recorder.js';

const schema = buildSchema(
  'type Query { job(id: ID): Job } type Job { id: ID state: State } enum State { ON }',
);

function operation(text: string): OperationInfo {
  const document = parse(text);
  return {
    kind: 'query',
    name: 'Q',
    normalisedText: text,
    document,
    perPrincipal: false,
    resumable: undefined,
  };
}

/** A recorder on its own database; it writes when the test flushes it. */
async function recordingSetup() {
  const db: TestDatabase = await testDatabase('uses');
  await ensureCollections(db, [fieldUsesCollection, operationsCollection, useRecordingsCollection]);
  const clock = manualClock('2030-03-01T23:59:00Z');
  const uses = new UsesRepository(db);
  await uses.beginRecording(clock.now());
  const recorder = () => new UseRecorder({ uses, clock, log: silentLogger(), everyMs: 3_600_000 });
  return { db, clock, uses, recorder, reader: new UseReader(uses, clock) };
}

describe('recorded use', () => {
  let system: Awaited<ReturnType<typeof recordingSetup>>;
  beforeAll(async () => {
    system = await recordingSetup();
  });

  it('adds up over gateways, days, clients and versions', async () => {
    const { clock, reader } = system;
    const [one, other] = [system.recorder(), system.recorder()];
    const sent = operation('query Q { job(id: 1) { id } }');
    for (let time = 0; time < 3; time++) one.record(sent, schema, { name: 'cli', version: '1' });
    other.record(sent, schema, { name: 'cli', version: '2' });
    await Promise.all([one.close(), other.flush()]);
    clock.advance(120_000);
    other.record(operation('{ job { id state } }'), schema, { name: 'cli', version: '2' });
    await other.close();
    const [id, argument, whole, none] = await reader.of([
      ['Job.id'],
      ['Query.job(id:)'],
      ['State'],
      ['Job.gone'],
    ]);
    expect(id).toEqual({
      requests: 5,
      clients: [
        { client: 'cli', version: '1', requests: 3, lastUsedOn: '2030-03-01' },
        { client: 'cli', version: '2', requests: 2, lastUsedOn: '2030-03-02' },
      ],
      lastUsedOn: '2030-03-02',
      recordedSince: new Date('2030-03-01T23:59:00Z'),
      isUnused: false,
    });
    expect(argument?.requests).toBe(4);
    expect(whole).toMatchObject({ requests: 1, lastUsedOn: '2030-03-02' });
    expect(none).toMatchObject({ requests: 0, clients: [], lastUsedOn: null, isUnused: false });
  });

  it('keeps the operations themselves, with their clients', async () => {
    const found = await system.db
      .collection('operations')
      .find({}, { sort: { requests: -1 } })
      .toArray();
    expect(
      found.map(({ text, requests, clients }) => ({
        text: text as string,
        requests: requests as number,
        clients: clients as string[],
      })),
    ).toEqual([
      { text: 'query Q { job(id: 1) { id } }', requests: 4, clients: ['cli 1', 'cli 2'] },
      { text: '{ job { id state } }', requests: 1, clients: ['cli 2'] },
    ]);
  });

  it('expires after 31 days and is then reported as unused', async () => {
    system.clock.advance(31 * 86_400_000);
    const [use] = await system.reader.of([['Job.id']]);
    expect(use).toMatchObject({ requests: 0, isUnused: true });
  });

  it('counts clients beyond 500 per day as one', async () => {
    const { recorder, reader, db } = system;
    const own = recorder();
    const sent = operation('{ job { state } }');
    for (let client = 0; client < 700; client++)
      own.record(sent, schema, { name: `client ${client}`, version: '1' });
    await own.close();
    const [use] = await reader.of([['Job.state']]);
    expect(use?.requests).toBe(700);
    expect(use?.clients).toHaveLength(20);
    expect(use?.clients[0]).toMatchObject({ client: 'other', requests: 200 });
    const stored = await db.collection('operations').findOne({ text: '{ job { state } }' });
    expect((stored?.['clients'] as string[]).length).toBeLessThanOrEqual(50);
  });

  it('is written after an outage of the store without delaying any request', async () => {
    const { uses, clock, reader } = await recordingSetup();
    let isDown = true;
    const faulty = Object.assign(Object.create(uses) as UsesRepository, {
      addUses: (...call: Parameters<UsesRepository['addUses']>) =>
        isDown ? Promise.reject(new Error('the store is away')) : uses.addUses(...call),
    });
    const recorder = new UseRecorder({ uses: faulty, clock, log: silentLogger(), everyMs: 3_600_000 });
    const sent = operation('{ job { id } }');
    recorder.record(sent, schema, { name: 'cli', version: '1' });
    await recorder.flush();
    recorder.record(sent, schema, { name: 'cli', version: '1' });
    await recorder.flush();
    expect((await reader.of([['Job.id']]))[0]?.requests).toBe(0);
    isDown = false;
    await recorder.close();
    expect((await reader.of([['Job.id']]))[0]?.requests).toBe(2);
  });
});
