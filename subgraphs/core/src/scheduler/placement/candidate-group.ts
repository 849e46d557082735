/** A place of a board: workers of one shape that ask, by what they have room for. */
import { roomText } from '../../gpus/capacity/device-capacity.js';
import { roomNumber } from './capacity-order.js';
import type { Asker, Bucket } from './placement.types.js';
import type { BucketOrder } from './bucket-order.js';
import type { Shape } from '../cache/fleet.types.js';

/** Workers of one shape whose callers may take the same. */
export interface Place {
  readonly shape: Shape;
  readonly experiments: readonly string[] | undefined;
  readonly queue: { left: number };
  /** Every bucket each time that somebody comes into it. */
  readonly log: Bucket[];
  /** By {@link roomNumber}: those of one number are told apart by comparing them. */
  readonly buckets: Map<number, Bucket[]>;
  readonly order: BucketOrder;
}

/** The bucket of the place that the worker belongs in. */
export function bucketOf({ buckets }: Place, { room, leftPlain }: Asker): Bucket | undefined {
  const alike = buckets.get(roomNumber(room));
  if (!alike) return undefined;
  const { cores, memoryMiB, diskMiB, devices } = room;
  const [takesPlain, text] = [leftPlain > 0, roomText(devices)];
  return alike.find(
    (bucket) =>
      bucket.room.cores === cores &&
      bucket.room.memoryMiB === memoryMiB &&
      bucket.room.diskMiB === diskMiB &&
      bucket.takesPlain === takesPlain &&
      roomText(bucket.room.devices) === text,
  );
}
