/** Files that workers fetch into the working folder of a job. */
import type { Refusals } from './refusals.js';
import type { Located } from './text/located.js';
import type { Payload } from './workflow.types.js';

/** Collects the files of a job, each under a name of its own. */
export class FetchedFiles {
  readonly #locations = new Map<string, string>();
  readonly #job: Located;
  readonly #refusals: Refusals;

  /** @param job the construct of which two files of the same name are refused */
  constructor(job: Located, refusals: Refusals) {
    this.#job = job;
    this.#refusals = refusals;
  }

  /** Adds a file; refuses another one of the same name. */
  add(name: string, location: string): void {
    const before = this.#locations.get(name);
    if (before !== undefined && before !== location)
      this.#refusals.refuse(this.#job, `has two inputs with the name ${JSON.stringify(name)}`, 'rename one');
    this.#locations.set(name, location);
  }

  /** All files, in the order in which they were added. */
  list(): NonNullable<Payload['inputs']> {
    return [...this.#locations].map(([name, location]) => ({ name, location }));
  }
}
