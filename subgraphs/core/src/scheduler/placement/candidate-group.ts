/** Candidates of one shape, by their free capacity. */
import { deviceCapacityKey } from '../../gpus/capacity/device-capacity.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import { EvaluationBudget, type PreferenceTurn } from '../cache/preference-turns.js';
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
   * Part of the preferences of the class that its candidates meet, 0 to 1; 1 if the class has none. Where
   * candidates were not compared, preferences that distinguish them count as not met.
   */
  preferenceScore(cls: RequirementClass): number;
}

/** Most groups by which preferences divide the candidates of shapes, beyond the first group of each. */
const maxDivisions = 64;

/** Facts by which a candidate is grouped. */
interface GroupedFacts {
  readonly worker: FleetWorker;
  readonly request: Pick<Candidate['request'], 'experiments'>;
}

/** Groups of a shape for the same experiments. */
interface Division {
  readonly byScores: Map<string, CandidateGroup>;
  /** Group of the candidates that are not compared, for lack of groups. */
  mixed?: CandidateGroup;
}

/** Groups the candidates of a pass. */
export class CandidateGroups {
  readonly all: CandidateGroup[] = [];
  readonly #byShape = new Map<Shape, Map<string, Division>>();
  readonly #turn: PreferenceTurn;
  /** Positions in a group's scores; a class without its optional GPUs has the same preferences. */
  readonly #positions: ReadonlyMap<RequirementClass['preferences'], number>;
  #divisions = 0;

  constructor(turn: PreferenceTurn = { classes: [], budget: new EvaluationBudget(0) }) {
    this.#turn = turn;
    this.#positions = new Map(turn.classes.map(({ preferences }, at) => [preferences, at]));
  }

  /** Returns the group of a candidate. */
  groupOf({ worker, request: { experiments } }: GroupedFacts, allowance: QueueAllowance): CandidateGroup {
    const { byScores, mixed } = this.#divisionOf(worker.shape, experiments);
    const isDivided = byScores.size === 0 || this.#divisions < maxDivisions;
    if (!isDivided && mixed) return mixed;
    const scores = isDivided ? this.#scoresOf(worker) : [];
    const key = scores.join(' ');
    const known = isDivided ? byScores.get(key) : undefined;
    if (known) return known;
    const { shape } = worker;
    const { budget } = this.#turn;
    const group: CandidateGroup = {
      shape,
      experiments,
      allowance,
      log: [],
      buckets: new Map(),
      order: new OrderedBuckets(),
      preferenceScore: (cls) =>
        scores[this.#positions.get(cls.preferences) ?? -1] ?? shape.preferenceScore(cls, budget),
    };
    if (byScores.size > 0) this.#divisions += 1;
    if (isDivided) byScores.set(key, group);
    else this.#divisionOf(shape, experiments).mixed = group;
    this.all.push(group);
    return group;
  }

  #divisionOf(shape: Shape, experiments: readonly string[] | undefined): Division {
    let ofShape = this.#byShape.get(shape);
    if (!ofShape) this.#byShape.set(shape, (ofShape = new Map()));
    const key = experiments?.join(' ') ?? '*';
    let division = ofShape.get(key);
    if (!division) ofShape.set(key, (division = { byScores: new Map() }));
    return division;
  }

  /** Scores by position; where the budget is used up, that which each worker of the shape has. */
  #scoresOf(worker: FleetWorker): readonly number[] {
    const { classes, budget } = this.#turn;
    return classes.map(
      (cls) => worker.preference(cls, budget)?.score ?? worker.shape.preferenceScore(cls, budget),
    );
  }
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
