/** Candidates of one shape, by their free capacity. */
import { deviceCapacityKey } from '../../gpus/capacity/device-capacity.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import { capacityHash } from './capacity-rules.js';
import type { Candidate, Bucket } from './placement.types.js';
import { OrderedBuckets } from './ordered-buckets.js';
import type { QueueAllowance } from './queue-limits.js';
import type { FleetWorker, Shape } from '../cache/fleet.types.js';

/** Candidates of one shape that may take jobs of the same experiments, and meet the same preferences. */
export interface CandidateGroup {
  readonly shape: Shape;
  readonly experiments: readonly string[] | undefined;
  readonly allowance: QueueAllowance;
  /** The bucket of each candidate, in the order in which candidates were added. */
  readonly log: Bucket[];
  /** By {@link capacityHash}: buckets with one hash are compared in full. */
  readonly buckets: Map<number, Bucket[]>;
  readonly order: OrderedBuckets;
  /**
   * Part of the preferences of the class that its candidates meet, 0 to 1; 1 if the class has none, and 0 if
   * it is unknown because the candidates differ.
   */
  preferenceScore(cls: RequirementClass): number;
}

/** Most classes of a pass whose preferences may distinguish workers of one shape. */
const maxHostClasses = 16;
/** Most groups into which these classes divide candidates; further candidates of a shape share one. */
const maxHostGroups = 64;

/** Facts by which a candidate is grouped. */
interface GroupedFacts {
  readonly worker: FleetWorker;
  readonly request: Pick<Candidate['request'], 'experiments'>;
}

/** Groups the candidates of a pass. */
export class CandidateGroups {
  readonly all: CandidateGroup[] = [];
  readonly #byShape = new Map<Shape, Map<string, CandidateGroup>>();
  /** Classes whose preferences read what distinguishes workers of one shape. */
  readonly #hostClasses: readonly RequirementClass[];
  #hostGroups = 0;

  /** @param classes classes with ready jobs */
  constructor(classes: Iterable<RequirementClass> = []) {
    const found: RequirementClass[] = [];
    for (const cls of classes) if (cls.preferences && cls.preferences.scope !== 'SHAPE') found.push(cls);
    this.#hostClasses = found.slice(0, maxHostClasses);
  }

  /** Returns the group of a candidate. */
  groupOf({ worker, request }: GroupedFacts, allowance: QueueAllowance): CandidateGroup {
    const { experiments } = request;
    const { shape } = worker;
    let ofShape = this.#byShape.get(shape);
    if (!ofShape) this.#byShape.set(shape, (ofShape = new Map()));
    const plain = experiments?.join(' ') ?? '*';
    const isDivided = this.#hostClasses.length > 0;
    const key = isDivided ? `${plain} ${this.#scoresOf(worker)}` : plain;
    const known = ofShape.get(key);
    if (known) return known;
    const isMixed = isDivided && this.#hostGroups >= maxHostGroups;
    const mixed = isMixed ? ofShape.get(plain) : undefined;
    if (mixed) return mixed;
    const compared = new Set((isMixed ? [] : this.#hostClasses).map(({ preferences }) => preferences));
    const group: CandidateGroup = {
      shape,
      experiments,
      allowance,
      log: [],
      buckets: new Map(),
      order: new OrderedBuckets(),
      preferenceScore: (cls) => scoreIn(worker, compared, cls),
    };
    ofShape.set(isMixed ? plain : key, group);
    this.all.push(group);
    if (isDivided) this.#hostGroups += 1;
    return group;
  }

  #scoresOf(worker: FleetWorker): string {
    return this.#hostClasses.map((cls) => worker.preference(cls)?.score ?? 0).join(' ');
  }
}

/**
 * Score of a class for all workers of a group.
 * @param compared preferences by which groups differ; a class without its optional GPUs has the same ones
 */
function scoreIn(
  one: FleetWorker,
  compared: ReadonlySet<RequirementClass['preferences']>,
  cls: RequirementClass,
): number {
  if (!cls.preferences) return 1;
  if (cls.preferences.scope !== 'SHAPE' && !compared.has(cls.preferences)) return 0;
  return one.preference(cls)?.score ?? 1;
}

/** Returns the bucket of the group for the candidate. */
export function bucketOf(
  { buckets }: CandidateGroup,
  { capacity, leftCpuOnly }: Candidate,
): Bucket | undefined {
  const sameHash = buckets.get(capacityHash(capacity));
  if (!sameHash) return undefined;
  const { cores, memoryMiB, diskMiB, devices } = capacity;
  const [takesCpuOnly, text] = [leftCpuOnly > 0, deviceCapacityKey(devices)];
  return sameHash.find(
    (bucket) =>
      bucket.capacity.cores === cores &&
      bucket.capacity.memoryMiB === memoryMiB &&
      bucket.capacity.diskMiB === diskMiB &&
      bucket.takesCpuOnly === takesCpuOnly &&
      deviceCapacityKey(bucket.capacity.devices) === text,
  );
}
