/**
 * Ids of jobs that are created together. They are derived from the batch and the position of the job, so that
 * a repeated batch writes the same ids: 10 characters of the batch's time (48 bits), then 56 bits of a hash
 * of its id and 24 bits of the position, in the form of a ULID.
 */
import { createHash } from 'node:crypto';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const maxIndex = 2 ** 24;

/**
 * Creates the ids of one batch.
 * @param batchId unique in the system
 * @param createdAt time of the batch
 */
export function batchJobIds(batchId: string, createdAt: Date): (index: number) => string {
  const hash = createHash('sha256').update(batchId).digest().readBigUInt64BE(0) >> 8n;
  // 55 bits of the hash are 11 whole characters; the last bit shares a character with the upper 4 bits of the
  // position.
  const prefix = timePart(createdAt) + crockford(hash >> 1n, 11);
  const lastBit = Number(hash & 1n) * 16;
  return (index) => {
    if (!Number.isInteger(index) || index < 0 || index >= maxIndex) {
      throw new RangeError(`position: ${index} is out of range; must be 0 to ${maxIndex - 1}`);
    }
    let id = prefix + alphabet.charAt(lastBit + (index >>> 20));
    for (let shift = 15; shift >= 0; shift -= 5) id += alphabet.charAt((index >>> shift) & 31);
    return id;
  };
}

/** Id of the copy of a job that a retry creates; unique per retry and job. */
export function retryJobId(operationId: string, sourceId: string, createdAt: Date): string {
  const digest = createHash('sha256').update(`${operationId}/${sourceId}`).digest();
  const bits = (digest.readBigUInt64BE(0) << 16n) | BigInt(digest.readUInt16BE(8));
  return timePart(createdAt) + crockford(bits, 16);
}

/** Lowest id that a job created at this time can have: ids are ordered by time. */
export function lowestIdAt(time: Date): string {
  return timePart(time) + '0'.repeat(16);
}

function timePart(time: Date): string {
  const milliseconds = Math.max(0, Math.min(time.getTime(), 2 ** 48 - 1));
  return `job_${crockford(BigInt(milliseconds), 10)}`;
}

function crockford(value: bigint, length: number): string {
  let text = '';
  let rest = value;
  for (let i = 0; i < length; i += 1) {
    text = alphabet.charAt(Number(rest & 31n)) + text;
    rest >>= 5n;
  }
  return text;
}
