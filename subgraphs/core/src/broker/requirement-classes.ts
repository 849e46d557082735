/** The requirement classes that this process knows: read once, kept for good, ready for matching. */
import { prepareClass, type RequirementClass, type RequirementClassDocument } from './requirement-class.js';
import type { RequirementClassesRepository } from './requirement-classes.repository.js';

/** See the head of this file. */
export class RequirementClasses {
  readonly #known = new Map<string, RequirementClass>();
  readonly #loading = new Map<string, Promise<void>>();

  constructor(private readonly repository: Pick<RequirementClassesRepository, 'findMany'>) {}

  /** The class, or undefined if this process has not read it. */
  get(classId: string): RequirementClass | undefined {
    return this.#known.get(classId);
  }

  /** Number of classes known. */
  get size(): number {
    return this.#known.size;
  }

  /** Reads the classes that are not known yet. Ids that do not exist are left out. */
  async load(ids: Iterable<string>): Promise<void> {
    const waits = new Set<Promise<void>>();
    const missing: string[] = [];
    for (const id of new Set(ids)) {
      if (this.#known.has(id)) continue;
      const loading = this.#loading.get(id);
      if (loading) waits.add(loading);
      else missing.push(id);
    }
    for (let at = 0; at < missing.length; at += 1000) waits.add(this.#read(missing.slice(at, at + 1000)));
    await Promise.all(waits);
  }

  #read(ids: readonly string[]): Promise<void> {
    const reading = this.repository
      .findMany(ids)
      .then((documents) => documents.forEach((document) => this.#learn(document)))
      .finally(() => ids.forEach((id) => this.#loading.delete(id)));
    for (const id of ids) this.#loading.set(id, reading);
    return reading;
  }

  #learn({ _id, requirements }: RequirementClassDocument): void {
    if (!this.#known.has(_id)) this.#known.set(_id, prepareClass(_id, this.#known.size, requirements));
  }
}
