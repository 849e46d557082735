import { type Collection } from 'mongodb';
import type { StoredRequirements } from './job.types.js';
import type { RequirementClassDocument } from './requirement-class.document.js';
import { insertAbsent } from '../../shared/duplicate-keys.repository.js';

/** Classes that this process knows to be stored; a forgotten one costs a write that changes nothing. */
const maxRemembered = 100_000;

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
    await insertAbsent(
      this.#classes,
      missing.map(([_id, requirements]) => ({
        _id,
        schemaVersion: 1,
        revision: 1,
        createdAt: now,
        requirements,
      })),
    );
    if (this.#stored.size + missing.length > maxRemembered) this.#stored.clear();
    missing.forEach(([id]) => this.#stored.add(id));
  }
}
