/** Loads the data for hardware views: live workers, their granted devices, and when they were last seen. */
import type { Principal } from '@rhizome/authz';
import { badInput } from '@rhizome/errors';
import type { Clock } from '@rhizome/clock';
import type { LeasesRepository } from '../workers/leases/leases.repository.js';
import type { WorkerRegistry } from '../workers/worker-registry.js';
import { maySee } from '../workers/worker-access.js';
import type { WorkersRepository } from '../workers/workers.repository.js';
import { exportEntries, type ExportEntry } from './hardware-export.js';
import {
  type DeviceFilter,
  type GoneDevices,
  type GpuHardware,
  gpuHardware,
  type SeenWorker,
} from './hardware-map.js';
import type { QueueFacts } from '../queues/queue-facts.types.js';

export interface HardwareOptions {
  readonly registry: Pick<WorkerRegistry, 'live'>;
  readonly workers: Pick<WorkersRepository, 'findGoneDevices'>;
  readonly leases: Pick<LeasesRepository, 'seenAt'>;
  readonly queues: () => readonly QueueFacts[] | Promise<readonly QueueFacts[]>;
  /** Devices of the workers that jobs hold, by worker. */
  readonly booked: (workerIds: readonly string[]) => Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  readonly clock: Clock;
}

/** Filter of hardware views. */
export interface HardwareFilter extends DeviceFilter {
  readonly sites?: readonly string[] | null | undefined;
  readonly queues?: readonly string[] | null | undefined;
}

/** The GPUs of one site. */
export interface SiteHardware {
  readonly site: string;
  readonly queues: readonly string[];
  readonly gpus: readonly GpuHardware[];
}

/** Hardware of one queue in the export. */
export interface QueueExport {
  readonly name: string;
  readonly site: string;
  readonly status: string;
  readonly lastUpdate: Date;
  readonly architectures: readonly ExportEntry[];
}

const maxLookBackMs = 30 * 24 * 3600 * 1000;

/** Hardware views by queue and by site, and their export. */
export class HardwareViews {
  readonly #options: HardwareOptions;

  constructor(options: HardwareOptions) {
    this.#options = options;
  }

  /** GPUs of the queues, one list for each; empty if the principal may not see the queue's workers. */
  async gpusOfQueues(
    queueIds: readonly string[],
    principal: Principal,
  ): Promise<readonly (readonly GpuHardware[])[]> {
    const wanted = new Set(queueIds);
    const visible = (await this.#visible(principal)).filter(({ id }) => wanted.has(id));
    const seen = await this.#seen(visible, true);
    const names = new Map(visible.map(({ id, name }) => [id, name]));
    const byQueue = new Map<string, SeenWorker[]>();
    for (const one of seen) {
      const own = byQueue.get(one.queue.name);
      if (own) own.push(one);
      else byQueue.set(one.queue.name, [one]);
    }
    return queueIds.map((id) => gpuHardware(byQueue.get(names.get(id) ?? '') ?? []));
  }

  /**
   * Returns GPUs by site.
   * @throws DomainError BAD_USER_INPUT when `seenSince` is more than 30 days ago
   */
  async map(
    filter: HardwareFilter,
    seenSince: Date | undefined,
    principal: Principal,
  ): Promise<{ readonly asOf: Date; readonly sites: readonly SiteHardware[] }> {
    const asOf = this.#options.clock.now();
    if (seenSince && asOf.getTime() - seenSince.getTime() > maxLookBackMs)
      throw badInput('seenSince', seenSince.toISOString(), 'a time in the last 30 days');
    const queues = chosen(await this.#visible(principal), filter);
    const [seen, gone] = await Promise.all([this.#seen(queues, true), this.#gone(queues, seenSince)]);
    const sites = [...new Set([...seen, ...gone].map(({ queue }) => queue.site))].sort();
    return {
      asOf,
      sites: sites.map((site) => siteOf(site, seen, gone, filter)).filter(({ gpus }) => gpus.length > 0),
    };
  }

  /** Returns the hardware of the queues that the principal may see, sorted by queue name. */
  async export(filter: HardwareFilter, principal: Principal): Promise<readonly QueueExport[]> {
    const lastUpdate = this.#options.clock.now();
    const queues = chosen(await this.#visible(principal), filter);
    const seen = await this.#seen(queues, false);
    return queues
      .map(({ name, site, state }) => ({
        name,
        site,
        status: state.toLowerCase(),
        lastUpdate,
        architectures: exportEntries(seen.filter(({ queue }) => queue.name === name)),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #visible(principal: Principal): Promise<readonly QueueFacts[]> {
    return (await this.#options.queues()).filter((queue) => maySee(principal, queue));
  }

  /** Live workers of these queues; `gpusOnly` leaves out those without devices. */
  async #seen(queues: readonly QueueFacts[], gpusOnly: boolean): Promise<readonly SeenWorker[]> {
    const { registry, leases, booked, clock } = this.#options;
    const byId = new Map(queues.map((queue) => [queue.id, queue]));
    const workers = [...registry.live()].filter(
      ({ queueId, devices }) => byId.has(queueId) && (!gpusOnly || devices.length > 0),
    );
    const ids = workers.filter(({ devices }) => devices.length > 0).map(({ id }) => id);
    const [given, seenAt] = await Promise.all([booked(ids), leases.seenAt(ids)]);
    const now = clock.now();
    return workers.flatMap((worker) => {
      const queue = byId.get(worker.queueId);
      if (!queue) return [];
      return [
        {
          worker,
          queue,
          lastSeenAt: seenAt.get(worker.id) ?? now,
          booked: given.get(worker.id) ?? new Set<string>(),
        },
      ];
    });
  }

  async #gone(queues: readonly QueueFacts[], since: Date | undefined): Promise<readonly GoneDevices[]> {
    if (!since) return [];
    const byId = new Map(queues.map((queue) => [queue.id, queue]));
    const found = await this.#options.workers.findGoneDevices(since);
    return found.flatMap(({ queueId, device, lastSeenAt }) => {
      const queue = byId.get(queueId);
      return queue ? [{ queue, device, lastSeenAt }] : [];
    });
  }
}

function chosen(
  queues: readonly QueueFacts[],
  { sites, queues: names }: HardwareFilter,
): readonly QueueFacts[] {
  return queues.filter(
    ({ name, site }) => (!sites || sites.includes(site)) && (!names || names.includes(name)),
  );
}

function siteOf(
  site: string,
  seen: readonly SeenWorker[],
  gone: readonly GoneDevices[],
  filter: DeviceFilter,
): SiteHardware {
  const isOfSite = ({ queue }: { readonly queue: Pick<QueueFacts, 'site'> }): boolean => queue.site === site;
  const [ownSeen, ownGone] = [seen.filter(isOfSite), gone.filter(isOfSite)];
  const queues = [...new Set([...ownSeen, ...ownGone].map(({ queue }) => queue.name))].sort();
  return { site, queues, gpus: gpuHardware(ownSeen, ownGone, filter) };
}
