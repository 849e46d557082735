// The driver changes the log as a writer of the database can; each change is found with its place.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { entryContent, linkHash } from './chain/link.js';
import { type AuditSystem, call, exported, startAudit } from './testing.fixture.js';

let system: AuditSystem;

beforeEach(async () => {
  system = await startAudit();
  for (const action of ['Mutation.a', 'Mutation.b', 'Mutation.c', 'Mutation.d']) {
    const recorded = await system.audit.log.begin(call(action));
    recorded.end({ result: 'SUCCEEDED', codes: [] });
  }
  await system.audit.close();
  await system.entries.dropIndex('chain_link.sequence_uq');
});

const one = async (action: string) => {
  const found = await system.entries.findOne({ action });
  if (!found) throw new Error(`no entry of ${action}`);
  return found;
};

const found = async () =>
  (await system.verify()).tampering.map(({ kind, from, to }) => `${kind} ${from}-${to}`);

describe('an audit log that nobody touched', () => {
  it('verifies, from the first position to the signed end', async () => {
    const report = await system.verify();
    expect(report).toMatchObject({ entries: 6, chains: 1, tampering: [], unsigned: [] });
    expect(report.heads).toBeGreaterThan(0);
    expect(await system.heads()).toMatchObject({ faults: [] });
  });
});

describe('a changed entry', () => {
  it('is named when its content has another hash', async () => {
    const { _id, link } = await one('Mutation.b');
    await system.entries.updateOne({ _id }, { $set: { 'actor.subject': 'eve@example' } });
    const { tampering } = await system.verify();
    expect(tampering).toEqual([
      expect.objectContaining({ kind: 'CHANGED', from: link.sequence, to: link.sequence, entry: _id }),
    ]);
  });

  it('is named when its hash was computed again', async () => {
    const { _id } = await one('Mutation.b');
    await system.entries.updateOne({ _id }, { $set: { 'actor.subject': 'eve@example' } });
    const { link, ...rest } = await one('Mutation.b');
    const hash = linkHash(link.previous, entryContent(exported({ ...rest, link })));
    await system.entries.updateOne({ _id }, { $set: { 'link.hash': hash } });
    expect(await found()).toEqual([`CHANGED ${link.sequence}-${link.sequence}`]);
  });

  it('is found by a signed head when all later hashes were computed again', async () => {
    const last = await one('gateway.stop');
    const changed = { ...last, action: 'gateway.other' };
    const hash = linkHash(last.link.previous, entryContent(exported(changed)));
    const { _id } = last;
    await system.entries.updateOne({ _id }, { $set: { action: 'gateway.other', 'link.hash': hash } });
    expect(await found()).toEqual([expect.stringMatching(`^CHANGED \\d+-${last.link.sequence}$`)]);
  });

  it('is named when its outcome was changed', async () => {
    const { _id, outcome } = await one('Mutation.c');
    await system.entries.updateOne({ _id }, { $set: { 'outcome.result': 'REFUSED' } });
    expect(await found()).toEqual([`CHANGED ${outcome?.link?.sequence}-${outcome?.link?.sequence}`]);
  });
});

describe('a deleted entry', () => {
  it('leaves a gap for itself and for its outcome', async () => {
    const { _id, link, outcome } = await one('Mutation.b');
    await system.entries.deleteOne({ _id });
    const places = [link.sequence, outcome?.link?.sequence ?? 0].sort((a, b) => a - b);
    const [first = 0, second = 0] = places;
    const expected =
      second === first + 1
        ? [`DELETED ${first}-${second}`]
        : [`DELETED ${first}-${first}`, `DELETED ${second}-${second}`];
    expect(await found()).toEqual(expected);
  });

  it('leaves a gap when only its outcome was deleted', async () => {
    const { _id, outcome } = await one('Mutation.b');
    await system.entries.updateOne({ _id }, { $set: { outcome: null } });
    expect(await found()).toEqual([`DELETED ${outcome?.link?.sequence}-${outcome?.link?.sequence}`]);
  });

  it('is found when the whole chain is gone', async () => {
    await system.entries.deleteMany({});
    expect(await found()).toEqual([expect.stringMatching(/^DELETED 1-\d+$/)]);
  });
});

describe('an inserted entry', () => {
  it('is named when it claims a position that is taken', async () => {
    const original = await one('Mutation.b');
    const forged = { ...original, _id: `${original._id}X`, requestId: 'forged' };
    await system.entries.insertOne({
      ...forged,
      link: { ...forged.link, hash: linkHash(forged.link.previous, entryContent(exported(forged))) },
      outcome: null,
    });
    const { tampering } = await system.verify();
    expect(tampering).toEqual([
      expect.objectContaining({ kind: 'INSERTED', from: original.link.sequence, entry: forged._id }),
    ]);
  });

  it('is named when it follows the end of the chain', async () => {
    const last = await one('gateway.stop');
    const link = { sequence: last.link.sequence + 1, previous: last.link.hash, hash: '' };
    const forged = { ...last, _id: `${last._id}X`, link };
    const hash = linkHash(link.previous, entryContent(exported(forged)));
    await system.entries.insertOne({ ...forged, link: { ...link, hash } });
    expect(await found()).toEqual([`INSERTED ${link.sequence}-${link.sequence}`]);
  });
});

describe('reordered entries', () => {
  it('names the positions at which reordered entries were written', async () => {
    const [b, c] = [await one('Mutation.b'), await one('Mutation.c')];
    await system.entries.updateOne({ _id: b._id }, { $set: { link: c.link } });
    await system.entries.updateOne({ _id: c._id }, { $set: { link: b.link } });
    const { tampering } = await system.verify();
    expect(tampering.map(({ kind, from, entry }) => ({ kind, from, entry }))).toEqual([
      { kind: 'REORDERED', from: b.link.sequence, entry: c._id },
      { kind: 'REORDERED', from: c.link.sequence, entry: b._id },
    ]);
    expect(tampering[0]?.detail).toContain(`position ${c.link.sequence}`);
  });
});

describe('a truncated chain', () => {
  it('is found because its signed head has a later position', async () => {
    const c = await one('Mutation.c');
    const end = await one('gateway.stop');
    await system.entries.deleteMany({ 'link.sequence': { $gt: c.link.sequence } });
    await system.entries.updateMany(
      { 'outcome.link.sequence': { $gt: c.link.sequence } },
      { $set: { outcome: null } },
    );
    expect(await found()).toEqual([`TRUNCATED ${c.link.sequence + 1}-${end.link.sequence}`]);
  });
});
