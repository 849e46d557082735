/** A place of a board: workers of one shape that ask, by what they have room for. */
import { deviceCapacityKey } from '../../gpus/capacity/device-capacity.js';
import { capacityHash } from './capacity-rules.js';
import type { Candidate, Bucket } from './placement.types.js';
import type { BucketOrder } from './bucket-order.js';
import type { Shape } from '../cache/fleet.types.js';

/** Workers of one shape whose callers may take the same. */
export interface CandidateGroup {
  readonly shape: Shape;
  readonly experiments: readonly string[] | undefined;
  readonly queue: { left: number };
  /** Every bucket each time that somebody comes into it. */
  readonly log: Bucket[];
  /** By {@link capacityHash}: those of one number are told apart by comparing them. */
  readonly buckets: Map<number, Bucket[]>;
  readonly order: BucketOrder;
}

/** The bucket of the place that the worker belongs in. */
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
