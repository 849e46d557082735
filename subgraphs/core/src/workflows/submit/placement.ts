/** Limits of queues, and offers of workers, for the requirements of nodes. */
import type { Logger } from '@rhizome/log';
import type { QueueDirectory } from '../../jobs/ports.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { nodeText } from './workflow-input.js';

/** Returns why jobs would wait; undefined if a worker that is present fits. */
export type WhyNoWorker = (
  requirements: StoredRequirements,
  share: string,
  priority: number,
) => Promise<string | undefined>;

/** Most requirement classes that are looked at for a warning. */
export const maxWarned = 50;

/** Limits of queues, each read once. */
export function boundsOnce(queues: Pick<QueueDirectory, 'boundsOf'>): Pick<QueueDirectory, 'boundsOf'> {
  const known = new Map<string, ReturnType<QueueDirectory['boundsOf']>>();
  return {
    boundsOf: (name) => {
      const bounds = known.get(name) ?? queues.boundsOf(name);
      known.set(name, bounds);
      return bounds;
    },
  };
}

/** Limit of a queue that requirements exceed. */
export interface ExceededLimit {
  readonly queue: string | undefined;
  readonly field: string;
  readonly value: number;
  readonly limit: number;
}

/** Limit of the queue that the requirements name and exceed; undefined if there is none. */
export async function exceededLimit(
  queues: Pick<QueueDirectory, 'boundsOf'>,
  { queue, cores, memoryMiB, walltimeSeconds }: StoredRequirements,
): Promise<ExceededLimit | undefined> {
  const bounds = queue === undefined ? null : await queues.boundsOf(queue);
  const { maxCores, maxMemoryMiB, maxWalltimeSeconds } = bounds ?? {};
  const all = [
    { field: 'cores', value: cores, limit: maxCores },
    { field: 'memoryMiB', value: memoryMiB, limit: maxMemoryMiB },
    { field: 'walltimeSeconds', value: walltimeSeconds, limit: maxWalltimeSeconds },
  ];
  const over = all.find(({ value, limit }) => limit !== undefined && value > limit);
  return over?.limit === undefined ? undefined : { ...over, queue, limit: over.limit };
}

/** Message about a node that its queue never admits. */
export function limitText(
  node: { readonly name: string },
  { queue, field, value, limit }: ExceededLimit,
  verb: 'requires' | 'would require' = 'requires',
): string {
  return `${nodeText(node)} ${verb} ${field} ${value}; queue "${queue}" permits at most ${limit}`;
}

/** Requirements of one kind, with the first node that has them. */
export interface NodeKind {
  readonly node: { readonly name: string };
  readonly requirements: StoredRequirements;
}

/** Dependencies of {@link placementWarnings}. */
export interface PlacementSources {
  readonly whyNoWorker: WhyNoWorker;
  readonly log: Logger;
}

/**
 * Requirements that no present worker meets, with the first node of each kind.
 * @param kinds the first kinds, of which at most {@link maxWarned} are looked at
 * @param count number of all kinds
 */
export async function placementWarnings(
  { whyNoWorker, log }: PlacementSources,
  { share, priority }: { readonly share: string; readonly priority: number },
  kinds: readonly NodeKind[],
  count: number,
): Promise<readonly string[]> {
  const warnings: string[] = [];
  try {
    for (const { node, requirements } of kinds.slice(0, maxWarned)) {
      const why = await whyNoWorker(requirements, share, priority);
      if (why !== undefined) warnings.push(`${nodeText(node)}: ${why}`);
    }
  } catch (err) {
    // The workflow is accepted.
    log.warn({ err }, 'workers for the nodes of a workflow not looked up');
  }
  const left = count - maxWarned;
  if (left > 0) warnings.push(`${left} more kinds of requirements were not compared with the workers.`);
  return warnings;
}
