/** Hosts that fail jobs, as the scheduler needs them. */

/** States of a host. */
export const hostStates = ['HEALTHY', 'SUSPECT', 'EXCLUDED', 'HALF_OPEN'] as const;
/** One of {@link hostStates}. */
export type HostState = (typeof hostStates)[number];

/** State of a host that is not healthy. */
export interface HostStanding {
  /** A SUSPECT or HALF_OPEN host gets one job at a time, an EXCLUDED one gets none. */
  readonly state: Exclude<HostState, 'HEALTHY'>;
  /** End of the state; null if it has none. */
  readonly until: Date | null;
  readonly reason: string;
}

/** A host of a queue. */
export interface QueueHost {
  readonly queue: string;
  readonly host: string;
}

/** Hosts that are not healthy. */
export interface HostStandings {
  /** State of a host at a time; undefined if it is healthy. */
  of(host: QueueHost, atMs: number): HostStanding | undefined;
  /** Calls the listener when hosts change. @returns function that removes it */
  onChanged(listener: () => void): () => void;
}

/** All hosts are healthy. */
export const allHealthy: HostStandings = { of: () => undefined, onChanged: () => () => undefined };

/** Key of a host of a queue: the name of a queue contains no space. */
export function hostKeyOf({ queue, host }: QueueHost): string {
  return `${queue} ${host}`;
}

/** The host of a worker. */
export function queueHostOf({
  shape,
  facts,
}: {
  readonly shape: { readonly queue: { readonly name: string } };
  readonly facts: { readonly host: string };
}): QueueHost {
  return { queue: shape.queue.name, host: facts.host };
}
