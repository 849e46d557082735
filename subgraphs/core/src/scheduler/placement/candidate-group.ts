/** Candidates of one shape, by their free capacity. */
import { deviceCapacityKey } from '../../gpus/capacity/device-capacity.js';
import { capacityHash } from './capacity-rules.js';
import type { Candidate, Bucket } from './placement.types.js';
import type { OrderedBuckets } from './ordered-buckets.js';
import type { QueueAllowance } from './queue-limits.js';
import type { Shape } from '../cache/fleet.types.js';

/** Candidates of one shape that may take jobs of the same experiments. */
export interface CandidateGroup {
  readonly shape: Shape;
  readonly experiments: readonly string[] | undefined;
  readonly allowance: QueueAllowance;
  /** The bucket of each candidate, in the order in which candidates were added. */
  readonly log: Bucket[];
  /** By {@link capacityHash}: buckets with one hash are compared in full. */
  readonly buckets: Map<number, Bucket[]>;
  readonly order: OrderedBuckets;
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
