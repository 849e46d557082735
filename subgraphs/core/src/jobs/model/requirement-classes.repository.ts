import { type Collection } from 'mongodb';
import type { StoredRequirements } from './job.types.js';
import { type RequirementClassDocument, requirementClassVersion } from './requirement-class.document.js';
import { retention } from '../../shared/retention.js';
import { insertAbsent } from '../../shared/duplicate-keys.repository.js';

/** Classes that this process knows to be stored; a forgotten one costs a write that changes nothing. */
const maxRemembered = 100_000;
const majority = { ordered: true, writeConcern: { w: 'majority' } } as const;

/** Requirement classes; each is stored before its first job. */
export class ClassesRepository {
  readonly #classes: Collection<RequirementClassDocument>;
  readonly #stored = new Set<string>();

  constructor(classes: Collection<RequirementClassDocument>) {
    this.#classes = classes;
  }

  /** Stores unknown classes. Resolves when the write is acknowledged by the majority. */
  async ensure(classes: ReadonlyMap<string, StoredRequirements>, now: Date): Promise<void> {
    const missing = [...classes].filter(([id]) => !this.#stored.has(id));
    if (missing.length === 0) return;
    const plain = missing.filter(([, { selector }]) => selector === undefined);
    const documents = plain.map(([id, requirements]) => documentOf(id, requirements, now));
    if (documents.length > 0) await insertAbsent(this.#classes, documents);
    await this.#keep(
      missing.filter(([, { selector }]) => selector !== undefined),
      now,
    );
    if (this.#stored.size + missing.length > maxRemembered) this.#stored.clear();
    missing.forEach(([id]) => this.#stored.add(id));
  }

  /**
   * Stores classes of tests of hosts. They expire some time after the latest test, unless other jobs use
   * them, and are not remembered as stored.
   */
  async ensureForTests(classes: ReadonlyMap<string, StoredRequirements>, now: Date): Promise<void> {
    const expiresAt = new Date(now.getTime() + retention.hostTestClass * 1000);
    const operations = [...classes].flatMap(([_id, requirements]) => {
      const { _id: _same, ...inserted } = documentOf(_id, requirements, now);
      const extended = { filter: { _id, expiresAt: { $exists: true } }, update: { $max: { expiresAt } } };
      // In this order: a class that is about to expire is either extended, or gone and inserted again.
      const absent = { filter: { _id }, update: { $setOnInsert: { ...inserted, expiresAt } }, upsert: true };
      return [{ updateOne: extended }, { updateOne: absent }];
    });
    if (operations.length > 0) await this.#classes.bulkWrite(operations, majority);
  }

  /** Stores classes that tests of hosts may have stored, too, and keeps them without end. */
  async #keep(classes: readonly (readonly [string, StoredRequirements])[], now: Date): Promise<void> {
    if (classes.length === 0) return;
    const operations = classes.map(([id, requirements]) => {
      const { _id, ...inserted } = documentOf(id, requirements, now);
      const update = { $setOnInsert: inserted, $unset: { expiresAt: '' } } as const;
      return { updateOne: { filter: { _id }, update, upsert: true } };
    });
    await this.#classes.bulkWrite(operations, majority);
  }
}

function documentOf(_id: string, requirements: StoredRequirements, now: Date): RequirementClassDocument {
  return { _id, schemaVersion: requirementClassVersion, revision: 1, createdAt: now, requirements };
}
