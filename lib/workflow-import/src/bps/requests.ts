/** Requests by label of a BPS submit file. */
import type { Refusals } from '../refusals.js';
import { Located } from '../text/located.js';
import type { SourceText } from '../text/source.types.js';

/** Fields of jobs by their names in submit files. */
const names: ReadonlyMap<string, string> = new Map([
  ['requestMemory', 'request_memory'],
  ['requestMemoryMax', 'request_memory_max'],
  ['requestCpus', 'request_cpus'],
  ['requestDisk', 'request_disk'],
  ['requestWalltime', 'request_walltime'],
  ['numberOfRetries', 'number_of_retries'],
  ['memoryMultiplier', 'memory_multiplier'],
  ['preemptible', 'preemptible'],
  ['priority', 'priority'],
  ['queue', 'queue'],
]);

/**
 * Fields of a job. What the submit file says for a label (in `cluster`, else in `pipetask`) replaces what the
 * graph has, and what it says for all labels holds where the graph has nothing.
 */
export class BpsRequests {
  readonly #forAll: ReadonlyMap<string, Located>;
  readonly #byLabel = new Map<string, Map<string, Located>>();

  constructor(source: SourceText | undefined, refusals: Refusals) {
    const whole = source && new Located(source);
    if (whole && !whole.isMap) refusals.invalid(whole, 'the map of a submit file');
    this.#forAll = requestsIn(whole, refusals);
    for (const section of ['pipetask', 'cluster'])
      for (const label of whole?.member(section)?.members() ?? []) {
        const known = this.#byLabel.get(label.name) ?? new Map<string, Located>();
        for (const [field, at] of requestsIn(label, refusals)) known.set(field, at);
        this.#byLabel.set(label.name, known);
      }
  }

  /** Field of a job, with its place; undefined if it has no value. */
  field(job: Located, label: string, field: string): Located | undefined {
    return this.#byLabel.get(label)?.get(field) ?? job.member(field) ?? this.#forAll.get(field);
  }
}

function requestsIn(at: Located | undefined, refusals: Refusals): ReadonlyMap<string, Located> {
  const found = new Map<string, Located>();
  for (const [name, field] of names) {
    const given = at?.member(name);
    if (!given) continue;
    if (given.text?.includes('{') === true)
      refusals.refuse(given, 'variables are not replaced on import', 'give the value');
    else found.set(field, given);
  }
  return found;
}
