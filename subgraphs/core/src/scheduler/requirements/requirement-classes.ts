/**
 * Requirement classes in memory, prepared for matching: read from the store on demand, and forgotten when
 * unused for a while. The store keeps them all.
 */
import { type ClassPreferences, prepareClass, type RequirementClass } from './requirement-class.js';
import type { RequirementClassesRepository } from './requirement-classes.repository.js';
import type { ClassRecord } from './measured.js';
import type { RequirementClassDocument } from '../../jobs/model/requirement-class.document.js';

interface Known {
  readonly cls: RequirementClass;
  /** True if it was requested since the last check. */
  isRequested: boolean;
  /** Time of the last use; undefined before the first check. */
  usedAt: number;
}

/** Time after which an unused class is forgotten, in milliseconds: most are needed again soon or never. */
const keptMs = 60_000;
const maxSerial = 2 ** 29;

/** Reads what was measured for classes. */
export interface ClassRecords {
  /** Records of those of the classes that have one. */
  find(classIds: readonly string[]): Promise<ReadonlyMap<string, ClassRecord>>;
  /** Records that have changed since a time. */
  findChanged(classIds: readonly string[], since: Date): Promise<ChangedRecords>;
}

/** Records that have changed. */
export interface ChangedRecords {
  readonly records: ReadonlyMap<string, ClassRecord>;
  /** Time of the latest change. */
  readonly latest: Date;
}

const noRecords: ClassRecords = {
  find: () => Promise.resolve(new Map()),
  findChanged: (_ids, latest) => Promise.resolve({ records: new Map(), latest }),
};

/** Time before the latest known change from which records are read again: clocks of leaders may differ. */
const overlapMs = 60_000;

/** Requirement classes by id. */
export class RequirementClasses {
  readonly #repository: Pick<RequirementClassesRepository, 'findMany'>;
  readonly #records: ClassRecords;
  readonly #known = new Map<string, Known>();
  readonly #loading = new Map<string, Promise<void>>();
  /** Ids of pending `load` calls: classes that a part of a call has read stay until all of it is read. */
  readonly #awaited = new Set<ReadonlySet<string>>();
  readonly #freeIndexes: number[] = [];
  #nextIndex = 0;
  /** Time of the latest change of a record that was read. */
  #recordsUpTo = new Date(0);
  #nextSerial = 1;

  /** @param records without them, nothing was measured for any class */
  constructor(repository: Pick<RequirementClassesRepository, 'findMany'>, records = noRecords) {
    this.#repository = repository;
    this.#records = records;
  }

  /** Returns the class, or undefined if it is not in memory. */
  get(classId: string): RequirementClass | undefined {
    const known = this.#known.get(classId);
    if (!known) return undefined;
    known.isRequested = true;
    return known.cls;
  }

  /** Number of classes in memory. */
  get size(): number {
    return this.#known.size;
  }

  /** Reads the classes that are not in memory. Ids that do not exist are left out. */
  async load(ids: Iterable<string>): Promise<void> {
    const wanted = new Set(ids);
    const waits = new Set<Promise<void>>();
    const missing: string[] = [];
    for (const id of wanted) {
      if (this.get(id)) continue;
      const loading = this.#loading.get(id);
      if (loading) waits.add(loading);
      else missing.push(id);
    }
    if (waits.size === 0 && missing.length === 0) return;
    this.#awaited.add(wanted);
    try {
      for (let at = 0; at < missing.length; at += 1000) waits.add(this.#read(missing.slice(at, at + 1000)));
      await Promise.all(waits);
    } finally {
      this.#awaited.delete(wanted);
    }
  }

  /**
   * Forgets classes that were unused for a minute: not in `inUse`, not requested, and not being loaded. A
   * caller that keeps a class id must load it again if it was forgotten.
   * @param inUse ids of classes with ready or held jobs
   * @param nowMs monotonic, in milliseconds
   */
  prune(inUse: Iterable<string>, nowMs: number): void {
    for (const ids of [inUse, ...this.#awaited]) for (const id of ids) this.get(id);
    for (const [id, known] of this.#known) {
      if (known.isRequested) known.usedAt = nowMs;
      known.isRequested = false;
      if (nowMs - known.usedAt < keptMs) continue;
      this.#known.delete(id);
      this.#freeIndexes.push(known.cls.index);
    }
  }

  /** Reads what has changed of what was measured for the classes whose preferences read it. */
  async readRecords(): Promise<void> {
    const reading = [...this.#known.values()].flatMap(({ cls }) => measuredPreferences(cls));
    if (reading.length === 0) return;
    const since = new Date(Math.max(0, this.#recordsUpTo.getTime() - overlapMs));
    const ids = reading.map(({ id }) => id);
    const { records, latest } = await this.#records.findChanged(ids, since);
    this.#recordsUpTo = latest > this.#recordsUpTo ? latest : this.#recordsUpTo;
    for (const { id, preferences } of reading) {
      const record = records.get(id);
      if (record && record.revision !== preferences.record?.revision) preferences.record = record;
    }
  }

  #read(ids: readonly string[]): Promise<void> {
    const reading = this.#repository
      .findMany(ids)
      .then((documents) => this.#addAll(documents))
      .finally(() => ids.forEach((id) => this.#loading.delete(id)));
    for (const id of ids) this.#loading.set(id, reading);
    return reading;
  }

  async #addAll(documents: readonly RequirementClassDocument[]): Promise<void> {
    const reading = documents.flatMap(({ _id, requirements }) =>
      requirements.preferences ? measuredPreferences(prepareClass(_id, -1, requirements)) : [],
    );
    const found = reading.length === 0 ? undefined : await this.#records.find(reading.map(({ id }) => id));
    for (const document of documents) this.#add(document, found?.get(document._id));
  }

  #add({ _id, requirements }: RequirementClassDocument, record: ClassRecord | undefined): void {
    if (this.#known.has(_id)) return;
    const index = this.#freeIndexes.pop() ?? this.#nextIndex++;
    const cls = prepareClass(_id, index, requirements, this.#nextSerial);
    if (cls.preferences) cls.preferences.record = record;
    this.#nextSerial = (this.#nextSerial + 1) % maxSerial;
    this.#known.set(_id, { cls, isRequested: true, usedAt: 0 });
  }
}

/** The preferences of the class, if they read what was measured for it. */
function measuredPreferences({ id, preferences }: RequirementClass): readonly {
  readonly id: string;
  readonly preferences: ClassPreferences;
}[] {
  return preferences?.readsMeasured ? [{ id, preferences }] : [];
}
