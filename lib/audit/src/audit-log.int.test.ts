import { appendFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { ownMongod, pauseProcess, testMongo, waitFor } from '@rhizome/testkit';
import { Custodian } from './log/custodian.js';
import { HeadWriter } from './heads/head-writer.js';
import { openAuditKeys } from './heads/signing-key.js';
import { openAudit } from './open-audit.js';
import { AuditRepository } from './store/audit.repository.js';
import { call, startAudit } from './testing.fixture.js';

const soon = { deadlineMs: 5_000 };
const ok = { result: 'SUCCEEDED', codes: [] } as const;

describe('an audit log', () => {
  it('stores the intent before the call runs, and the outcome after it', async () => {
    const { audit, entries } = await startAudit();
    const recorded = await audit.log.begin(call('Mutation.holdJobs'));
    expect(await entries.findOne({ action: 'Mutation.holdJobs' })).toMatchObject({ outcome: null });
    recorded.end({ result: 'FAILED', codes: ['INTERNAL_SERVER_ERROR'] });
    const entry = await waitFor(
      'the outcome of the call',
      () => entries.findOne({ action: 'Mutation.holdJobs', outcome: { $ne: null } }),
      soon,
    );
    expect(entry).toMatchObject({ outcome: { result: 'FAILED', codes: ['INTERNAL_SERVER_ERROR'] } });
  });

  it('stores a call with a count beyond the integers of the store, and the calls after it', async () => {
    const { audit, entries, verify } = await startAudit();
    const targets = { count: 2 ** 53, ids: [], fields: [], digest: null };
    await audit.log.begin(call('Mutation.submitTask', { targets }));
    await audit.log.begin(call('Mutation.holdJobs'));
    expect(await entries.findOne({ action: 'Mutation.submitTask' })).toMatchObject({
      targets: { count: 2 ** 31 - 1 },
    });
    expect(await entries.countDocuments({ action: 'Mutation.holdJobs' })).toBe(1);
    expect(await verify()).toMatchObject({ tampering: [] });
  });

  it('stores concurrent intents in few batches, as one chain', async () => {
    const { audit, entries, verify } = await startAudit();
    const calls = Array.from({ length: 2_500 }, async (_, index) => {
      const recorded = await audit.log.begin(call(`Mutation.call${index}`));
      recorded.end(ok);
    });
    await Promise.all(calls);
    await audit.close();
    expect(await entries.countDocuments({ outcome: null })).toBe(0);
    expect(await verify()).toMatchObject({ entries: 2_502, chains: 1, tampering: [] });
  });

  it('verifies while it is written', async () => {
    const { audit, verify } = await startAudit();
    let isOver = false;
    const writing = (async () => {
      while (!isOver) (await audit.log.begin(call())).end(ok);
    })();
    for (let turn = 0; turn < 5; turn++) expect((await verify()).tampering).toEqual([]);
    isOver = true;
    await writing;
  });

  it('refuses a change while the store is down, lets a worker go on, and records both later', async () => {
    const mongod = await ownMongod();
    const audit = await openAudit(
      { mongoUri: mongod.uri, database: 'audit', waitMs: 300 },
      { log: silentLogger() },
    );
    const resume = await pauseProcess(mongod.members[0]?.pid ?? 0);
    try {
      const refused = audit.log.begin(call('Mutation.refused'));
      await expect(refused).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
      audit.log.beginUnchecked(call('Mutation.drainWorker')).end(ok);
    } finally {
      resume();
    }
    await (await audit.log.begin(call('Mutation.after'))).end(ok);
    const stored = async () => {
      const page = await audit.repository.page({ kind: 'MUTATION' }, '*', { first: 10, after: null });
      return page.nodes.every(({ outcome }) => outcome) ? page.nodes : null;
    };
    const nodes = await waitFor('the outcomes of the calls', stored, soon);
    expect(nodes.map(({ action, outcome }) => `${action} ${outcome?.result}`)).toEqual([
      'Mutation.after SUCCEEDED',
      'Mutation.drainWorker SUCCEEDED',
      'Mutation.refused REFUSED',
    ]);
    await audit.close();
  });

  it('needs a private key that only its owner may read', async () => {
    const { folder } = await startAudit();
    const file = join(folder, 'key.json');
    expect((await stat(file)).mode & 0o077).toBe(0);
    await writeFile(join(folder, 'open.json'), await readFile(file), { mode: 0o644 });
    await expect(openAuditKeys(join(folder, 'open.json'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('signed heads', () => {
  it('names a line whose signature is wrong', async () => {
    const { audit, folder, heads } = await startAudit();
    await audit.log.record(call(), ok);
    await audit.close();
    const [name = ''] = (await readdir(folder)).filter((one) => one.endsWith('.heads'));
    const lines = (await readFile(join(folder, name), 'utf8')).trim().split('\n');
    expect((await heads()).heads.map(({ kind }) => kind)).toEqual(['MINUTE', 'CLOSED']);
    await appendFile(join(folder, name), `${lines[0]?.slice(0, -4)}AAAA\n`);
    expect((await heads()).faults).toEqual([`${name}:3: its signature is wrong`]);
  });
});

describe('retention', () => {
  it('removes old entries of every chain, and the rest still verifies', async () => {
    let now = new Date('2026-01-01T10:00:00Z');
    const clock = { ...systemClock, now: () => now };
    const { audit, folder, database, entries, verify } = await startAudit({ clock });
    (await audit.log.begin(call('Mutation.old'))).end(ok);
    await waitFor(
      'the outcome of the old call',
      () => entries.findOne({ action: 'Mutation.old', outcome: { $ne: null } }),
      soon,
    );
    const heads = await HeadWriter.open(folder, 'custodian', await openAuditKeys(join(folder, 'key.json')));
    const { client } = await testMongo();
    const repository = new AuditRepository(client.db(database));
    const custodian = new Custodian({
      audit: audit.log,
      repository,
      heads,
      clock,
      log: silentLogger(),
      retentionDays: 30,
    });
    now = new Date('2026-03-01T10:00:00Z');
    await audit.log.record(call('Mutation.new'), ok);
    await custodian.tick();
    await audit.log.record(call('Mutation.last'), ok);
    const left = await entries.find({}, { sort: { _id: 1 } }).toArray();
    expect(left.map(({ action }) => action)).toEqual(['Mutation.new', 'audit.prune', 'Mutation.last']);
    expect((await verify()).tampering).toEqual([]);
    await entries.deleteOne({ action: 'audit.prune' });
    expect((await verify()).tampering).toMatchObject([{ kind: 'DELETED' }]);
    await custodian.close();
  });
});
