/** Hosts that are not healthy, in the memory of a process. */
import {
  hostKeyOf,
  type HostStanding,
  type HostStandings,
  type HostState,
  type QueueHost,
} from '../../scheduler/cache/host-standing.types.js';
import type { Directory } from '../../shared/directory.repository.js';
import { type HostDocument, hostIdOf } from './host.document.js';
import { standingOf, viewOf } from './host-state.js';

/** Looks hosts up by queue and name. */
export class HostBook implements HostStandings {
  readonly #directory: Directory<HostDocument>;
  /** Undefined after a change. */
  #known: ReadonlyMap<string, HostDocument> | undefined;

  constructor(directory: Directory<HostDocument>) {
    this.#directory = directory;
    directory.onChanged(() => (this.#known = undefined));
  }

  onChanged(listener: () => void): () => void {
    return this.#directory.onChanged(listener);
  }

  of(host: QueueHost, atMs: number): HostStanding | undefined {
    const known = this.#documents(atMs);
    if (known.size === 0) return undefined;
    const found = known.get(hostKeyOf(host));
    return found && !isOver(found, atMs) ? standingOf(found, atMs) : undefined;
  }

  /** The document of a host; undefined if nothing is known about it. */
  find(host: QueueHost, atMs: number): HostDocument | undefined {
    const found = this.#directory.peek(hostIdOf(host));
    return found && !isOver(found, atMs) ? found : undefined;
  }

  /** Hosts that are to be tested, with the ends of their exclusions. */
  halfOpen(atMs: number): readonly (QueueHost & { readonly since: Date })[] {
    const found: (QueueHost & { readonly since: Date })[] = [];
    for (const one of this.#documents(atMs).values()) {
      const { state, since } = viewOf(one, atMs);
      const { queue, host } = one;
      if (state === 'HALF_OPEN' && !isOver(one, atMs)) found.push({ queue, host, since });
    }
    return found;
  }

  /** Number of hosts that are not healthy, by state. */
  countByState(atMs: number): ReadonlyMap<HostState, number> {
    const counts = new Map<HostState, number>([
      ['SUSPECT', 0],
      ['EXCLUDED', 0],
      ['HALF_OPEN', 0],
    ]);
    for (const host of this.#documents(atMs).values()) {
      const { state } = viewOf(host, atMs);
      if (state !== 'HEALTHY' && !isOver(host, atMs)) counts.set(state, (counts.get(state) ?? 0) + 1);
    }
    return counts;
  }

  #documents(atMs: number): ReadonlyMap<string, HostDocument> {
    if (!this.#known) {
      for (const host of [...this.#directory.values()])
        if (isOver(host, atMs)) this.#directory.drop(host._id);
      this.#known = new Map([...this.#directory.values()].map((host) => [hostKeyOf(host), host]));
    }
    return this.#known;
  }
}

/** True if nothing about the host is kept any more; the store removes it within minutes. */
function isOver({ expiresAt }: HostDocument, atMs: number): boolean {
  return expiresAt !== undefined && expiresAt.getTime() <= atMs;
}
