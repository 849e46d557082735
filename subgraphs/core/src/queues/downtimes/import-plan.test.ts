import { describe, expect, it } from '@jest/globals';
import { type DowntimeDocument, downtimeSchemaVersion } from './downtime.document.js';
import { planImport } from './import-plan.js';

const now = new Date('2030-01-01T00:00:00Z');
const hours = (count: number): Date => new Date(now.getTime() + count * 3_600_000);
const site = { queue: null, site: 'Pole' } as const;
const entry = (sourceId: string, from = 1, to = 2, reason = 'cooling') => ({
  target: site,
  entry: { sourceId, target: site, startsAt: hours(from), endsAt: hours(to), reason },
});
const stored = (sourceId: string, change: Partial<DowntimeDocument> = {}): DowntimeDocument => ({
  ...{ _id: `downtime_${sourceId}`, schemaVersion: downtimeSchemaVersion, revision: 3 },
  ...{ createdAt: now, updatedAt: now, ...site, startsAt: hours(1), endsAt: hours(2), reason: 'cooling' },
  ...{ declaredBy: 'goc', source: 'goc', sourceId, cancelledAt: null, cancelledBy: null },
  ...change,
});
const plan = (wanted: readonly ReturnType<typeof entry>[], known: readonly DowntimeDocument[]) =>
  planImport({
    ...{ source: 'goc', wanted, known, now },
    create: (target, window) => ({
      ...stored('', { _id: 'downtime_new', revision: 1, ...target }),
      ...{ startsAt: window.startsAt, endsAt: window.endsAt, reason: window.reason },
    }),
    cancel: (downtime) => ({ ...downtime, cancelledAt: now, cancelledBy: 'goc' }),
  });

describe('planImport', () => {
  it('changes nothing for the same list', () => {
    expect(plan([entry('a'), entry('b')], [stored('a'), stored('b')])).toEqual({
      ...{ created: [], changed: [], cancelled: [], unchangedCount: 2 },
    });
  });

  it('creates what is new and not over, with its id in the list', () => {
    const { created, unchangedCount } = plan([entry('a'), entry('over', -3, -2)], []);
    expect(created).toMatchObject([{ _id: 'downtime_new', source: 'goc', sourceId: 'a', revision: 1 }]);
    expect(unchangedCount).toBe(1);
  });

  it('changes what differs, and brings back what was cancelled', () => {
    const known = [stored('a'), stored('b', { cancelledAt: now, cancelledBy: 'someone' })];
    const { changed } = plan([entry('a', 1, 5), entry('b')], known);
    expect(changed).toMatchObject([
      { _id: 'downtime_a', revision: 4, endsAt: hours(5) },
      { _id: 'downtime_b', revision: 4, cancelledAt: null, cancelledBy: null },
    ]);
  });

  it('cancels what is no longer in the list, unless it has ended', () => {
    const ended = stored('ended', { startsAt: hours(-3), endsAt: hours(-2) });
    const gone = stored('cancelled', { cancelledAt: now });
    const { cancelled } = plan([], [stored('a'), ended, gone]);
    expect(cancelled).toMatchObject([{ _id: 'downtime_a', revision: 4, cancelledAt: now }]);
  });
});
