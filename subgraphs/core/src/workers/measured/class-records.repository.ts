/** The only code that accesses the records of classes. */
import { isDuplicateKey } from '@rhizome/mongo';
import type { Collection, Filter } from 'mongodb';
import type { ClassRecord } from '../../scheduler/requirements/measured.js';
import type { ChangedRecords } from '../../scheduler/requirements/requirement-classes.js';
import { retention } from '../../shared/retention.js';
import { type EndedRun, type RecordCounts, withRun } from './class-record-changes.js';
import type { ClassRecordDocument } from './class-record.document.js';

/** Most records that are read at once: a record has up to about 30 kB. */
const maxRead = 100;
const majority = { writeConcern: { w: 'majority' } } as const;

/** Another leader has written a record meanwhile: the attempts must be counted again. */
export class StaleClassRecords extends Error {}

/** Reads and writes records of classes. */
export class ClassRecordsRepository {
  readonly #records: Collection<ClassRecordDocument>;

  constructor(records: Collection<ClassRecordDocument>) {
    this.#records = records;
  }

  /** Records of those of the classes that have one. */
  async find(classIds: readonly string[]): Promise<ReadonlyMap<string, ClassRecord>> {
    return this.#find(classIds);
  }

  /** Records of those of the classes that have changed since a time, with that of the latest change. */
  async findChanged(classIds: readonly string[], since: Date): Promise<ChangedRecords> {
    const found = await this.#find(classIds, { updatedAt: { $gte: since } });
    const times = [...found.values()].map(({ updatedAt }) => updatedAt.getTime());
    return { records: found, latest: new Date(Math.max(since.getTime(), ...times)) };
  }

  /**
   * Counts attempts, given in the order of their events; those that a record contains are left out.
   * @throws StaleClassRecords if another process has changed a record meanwhile
   */
  async add(runs: readonly EndedRun[], now: Date): Promise<void> {
    const byClass = new Map<string, EndedRun[]>();
    for (const run of runs) {
      const known = byClass.get(run.classId);
      if (known) known.push(run);
      else byClass.set(run.classId, [run]);
    }
    const ids = [...byClass.keys()];
    for (let at = 0; at < ids.length; at += maxRead) {
      const some = ids.slice(at, at + maxRead);
      const stored = await this.#find(some);
      const changes = some.flatMap((id) => changeOf(id, stored.get(id), byClass.get(id) ?? [], now));
      await this.#write(changes);
    }
  }

  async #find(
    classIds: readonly string[],
    condition: Filter<ClassRecordDocument> = {},
  ): Promise<Map<string, ClassRecordDocument>> {
    const found = new Map<string, ClassRecordDocument>();
    for (let at = 0; at < classIds.length; at += maxRead) {
      const ids = classIds.slice(at, at + maxRead);
      const filter = { ...condition, _id: { $in: ids } };
      const some = this.#records.find(filter, { readConcern: { level: 'majority' } });
      for (const one of await some.toArray()) found.set(one._id, one);
    }
    return found;
  }

  async #write(changes: readonly RecordChange[]): Promise<void> {
    if (changes.length === 0) return;
    const operations = changes.map(({ before, next }) =>
      before
        ? { replaceOne: { filter: { _id: next._id, revision: before.revision }, replacement: next } }
        : { insertOne: { document: next } },
    );
    try {
      const { insertedCount, matchedCount } = await this.#records.bulkWrite(operations, majority);
      if (insertedCount + matchedCount < changes.length) throw new StaleClassRecords();
    } catch (error) {
      if (isDuplicateKey(error)) throw new StaleClassRecords();
      throw error;
    }
  }
}

interface RecordChange {
  readonly before: ClassRecordDocument | undefined;
  readonly next: ClassRecordDocument;
}

function changeOf(
  id: string,
  before: ClassRecordDocument | undefined,
  runs: readonly EndedRun[],
  now: Date,
): readonly RecordChange[] {
  const fresh = runs.filter(({ token }) => token > (before?.upTo ?? ''));
  const latest = fresh.at(-1);
  if (!latest) return [];
  const counts = fresh.reduce<RecordCounts>(withRun, before ?? { queues: [], hosts: [] });
  const next = {
    _id: id,
    schemaVersion: 1,
    revision: (before?.revision ?? 0) + 1,
    createdAt: before?.createdAt ?? now,
    updatedAt: now,
    expiresAt: new Date(now.getTime() + retention.classRecord * 1000),
    upTo: latest.token,
    queues: counts.queues,
    hosts: counts.hosts,
  };
  return [{ before, next }];
}
