/**
 * The fleet as the scheduler matches against it: live workers with their queues, and shapes. Workers that
 * publish the same facts have one shape; whether a class fits a shape is decided once and cached.
 */
import { canonicalJson } from '@rhizome/digest';
import { arrangeDevices, type DeviceSet } from '../../gpus/capacity/device-set.js';
import { hostKey } from '../../gpus/device-identity.js';
import { type Eligibility, selectorEligibility, ShapeEligibility } from './eligibility.js';
import { profileOf, hasAmounts } from '../requirements/constraints.js';
import { type RequirementClass } from '../requirements/requirement-class.js';
import { type HostKind, SlotsCache } from './gpu-demand.js';
import { PreferenceScores } from './preference-scores.js';
import { type EvaluationBudget, PreferenceTurns } from './preference-turns.js';
import {
  allHealthy,
  hostKeyOf,
  type HostStandings,
  type QueueHost,
  queueHostOf,
} from './host-standing.types.js';
import { SharedDevices } from './shared-devices.js';
import { RecentlyIdleHosts } from '../placement/recently-idle-hosts.js';
import { isPartition, wholeGpus } from '../../gpus/capacity/gpu-equivalents.js';
import { type Totals, unknownShare } from '../placement/share-order.js';
import type { PreferenceScore } from '../../jobs/model/job.types.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import { SetsByKey } from '../../shared/sets-by-key.js';
import type { ShareFacts } from '../../shares/share-facts.types.js';
import type { WorkerProfile } from '../requirements/constraint.types.js';
import type { Shape, FleetWorker } from './fleet.types.js';

/**
 * Number of memory steps per doubling: hosts within one step are of one kind, since each reports a few MiB
 * more or less.
 */
const memorySteps = 16;

/** Number of unused device shapes kept for workers that return. */
const spareShapes = 64;

/** Most classes whose scores are kept for a worker or a set of labels: more than one pass compares. */
const maxOwnScores = 32;

/** Workers of a shape with equal labels. */
interface Labelled {
  readonly key: string;
  readonly answers: Eligibility;
  readonly scores: PreferenceScores;
  users: number;
}

interface KnownShape extends Shape {
  readonly scores: PreferenceScores;
  readonly answers: ShapeEligibility;
  readonly labelled: Map<string, Labelled>;
  /** Number of devices that are neither slices nor partitions, nor divided. */
  readonly wholeDevices: number;
  users: number;
}

interface KnownWorker extends FleetWorker {
  readonly shape: KnownShape;
  readonly labelled: Labelled;
}

/** Live workers, queues and shares, with everything derived from them for matching. */
export class Fleet {
  /** Hosts without GPUs that are expected to request jobs soon; only maintained by the leader. */
  readonly recentlyIdle = new RecentlyIdleHosts();
  /**
   * Workers that report the same devices as others: live workers, and ended ones whose jobs still hold
   * devices.
   */
  readonly sharedDevices = new SharedDevices();
  /** Limits of what passes evaluate for single workers. */
  readonly preferenceTurns = new PreferenceTurns();
  #queues = new Map<string, QueueFacts>();
  #shares = new Map<string, ShareFacts>();
  readonly #workers = new Map<string, KnownWorker>();
  /** By the host of a queue on which they run. */
  readonly #ofHosts = new SetsByKey<KnownWorker>();
  readonly #shapes = new Map<string, KnownShape>();
  readonly #deviceShapes = new Map<string, DeviceSet>();
  readonly #hostKinds = new Map<string, HostKind>();
  readonly #hosts: HostStandings;
  #revision = 0;
  #cores = 0;
  #memoryMiB = 0;
  #microGpus = 0;

  /** @param hosts hosts that are not healthy */
  constructor(hosts: HostStandings = allHealthy) {
    this.#hosts = hosts;
  }

  /** Total resources of all live workers. */
  get totals(): Totals {
    return { cores: this.#cores, memoryMiB: this.#memoryMiB, gpus: this.#microGpus / 1e6 };
  }

  /** Number of changes of workers and queues so far. */
  get revision(): number {
    return this.#revision;
  }

  /** Number of live workers. */
  get size(): number {
    return this.#workers.size;
  }

  /** All live workers. */
  workers(): IterableIterator<FleetWorker> {
    return this.#workers.values();
  }

  /** Returns a live worker, or undefined. */
  worker(workerId: string): FleetWorker | undefined {
    return this.#workers.get(workerId);
  }

  /** Live workers of a host of a queue. */
  workersOf(host: QueueHost): Iterable<FleetWorker> {
    return this.#ofHosts.of(hostKeyOf(host));
  }

  /** Shapes of the live workers. */
  shapes(): IterableIterator<Shape> {
    return this.#shapes.values();
  }

  /** Kinds of hosts with whole GPUs, with the number of each; hosts with similar memory are of one kind. */
  hostKinds(): readonly HostKind[] {
    return [...this.#hostKinds.values()];
  }

  /** Returns a queue, or undefined. */
  queue(queueId: string): QueueFacts | undefined {
    return this.#queues.get(queueId);
  }

  /** All queues. */
  queues(): IterableIterator<QueueFacts> {
    return this.#queues.values();
  }

  /** Returns a leaf share; one without configuration has no quota. */
  share(path: string): ShareFacts {
    return this.#shares.get(path) ?? unknownShare(path);
  }

  /** All configured leaves. */
  shares(): IterableIterator<ShareFacts> {
    return this.#shares.values();
  }

  /** Replaces the shares. @returns whether anything changed */
  setShares(shares: readonly ShareFacts[]): boolean {
    const fresh = new Map(shares.map((share) => [share.path, share]));
    const changed = canonicalJson([...fresh.values()]) !== canonicalJson([...this.#shares.values()]);
    this.#shares = fresh;
    return changed;
  }

  /** Replaces the queues and re-shapes their workers if a queue changed. @returns the queues that changed */
  setQueues(queues: readonly QueueFacts[]): readonly QueueFacts[] {
    const before = this.#queues;
    this.#queues = new Map(queues.map((queue) => [queue.id, queue]));
    const changed = queues.filter((queue) => isOther(before.get(queue.id), queue));
    const ids = new Set(changed.map(({ id }) => id));
    if (changed.length > 0) this.#revision += 1;
    for (const worker of [...this.#workers.values()])
      if (ids.has(worker.facts.queueId)) this.set(worker.facts);
    return changed;
  }

  /** Adds or updates a live worker. Workers of unknown queues are not matched. */
  set(facts: WorkerFacts): FleetWorker | undefined {
    this.remove(facts.id);
    this.sharedDevices.forget(facts.id);
    const queue = this.#queues.get(facts.queueId);
    if (!queue) return undefined;
    const devices = arrangeDevices(facts.devices, queue.limits.gpuSharing ?? false, this.#deviceShapes);
    const shape = this.#shapeOf(facts, queue, devices.set);
    const profile = profileOf(facts, queue, devices.set);
    const labelled = labelledOf(shape, profile);
    const { downtimes = [] } = queue;
    const hosts = this.#hosts;
    const worker = workerOf({ facts, shape, labelled, profile, devices, downtimes, hosts });
    this.#workers.set(facts.id, worker);
    this.#ofHosts.add(hostKeyOf(queueHostOf(worker)), worker);
    this.sharedDevices.set({ ...hosted(worker), devices: facts.devices });
    this.#count(worker, 1);
    return worker;
  }

  /**
   * Removes an ended worker.
   * @param hasJobs true if it holds its devices until {@link sharedDevices} forget it
   */
  remove(workerId: string, hasJobs = false): void {
    const worker = this.#workers.get(workerId);
    if (!worker) return;
    this.#workers.delete(workerId);
    this.#ofHosts.delete(hostKeyOf(queueHostOf(worker)), worker);
    if (hasJobs) this.sharedDevices.leave(hosted(worker));
    else this.sharedDevices.remove(hosted(worker));
    this.#count(worker, -1);
    const { shape, labelled } = worker;
    if (labelled.users === 0) shape.labelled.delete(labelled.key);
    if (shape.users > 0) return;
    this.#shapes.delete(shape.key);
    if (this.#deviceShapes.size > 2 * this.#shapes.size + spareShapes) this.#deviceShapes.clear();
  }

  /**
   * Removes a worker whose lease has ended, and keeps its devices in view for the other workers of its host.
   */
  setUnreachable({ id, queueId, host, devices }: WorkerFacts): void {
    this.remove(id);
    this.sharedDevices.forget(id);
    const queue = this.#queues.get(queueId);
    if (!queue) return;
    const worker = { id, hostKey: hostKey(queue.site, host) };
    this.sharedDevices.set({ ...worker, devices });
    this.sharedDevices.leave(worker);
  }

  #count({ facts: { hardware, devices }, shape, labelled }: KnownWorker, sign: 1 | -1): void {
    this.#revision += 1;
    this.#microGpus += sign * Math.round(wholeGpus(devices) * 1e6);
    this.#cores += sign * hardware.cores;
    this.#memoryMiB += sign * hardware.memoryMiB;
    shape.users += sign;
    labelled.users += sign;
    if (shape.wholeDevices === 0) return;
    const { cores, memoryMiB } = hardware;
    const key = `${cores} ${Math.round(Math.log2(memoryMiB) * memorySteps)} ${shape.wholeDevices}`;
    const known = this.#hostKinds.get(key) ?? { cores, memoryMiB, gpus: shape.wholeDevices, hosts: 0 };
    const hosts = known.hosts + sign;
    if (hosts === 0) this.#hostKinds.delete(key);
    else this.#hostKinds.set(key, { ...known, hosts });
  }

  #shapeOf(facts: WorkerFacts, queue: QueueFacts, devices: DeviceSet): KnownShape {
    const { cores: _cores, memoryMiB: _memory, diskMiB: _disk, ...platform } = facts.hardware;
    const hasKey = facts.keyThumbprint !== undefined;
    const key = canonicalJson([queue.id, queue.revision, platform, devices.key, ...(hasKey ? ['key'] : [])]);
    const known = this.#shapes.get(key);
    if (known) return known;
    const profile = profileOf(facts, queue, devices);
    const answers = new ShapeEligibility(profile);
    const scores = new PreferenceScores(profile, 'SHAPE');
    const shape: KnownShape = {
      key,
      scores,
      queue,
      hasDevices: devices.facts.length > 0,
      wholeDevices: devices.facts.filter(
        (device) => !device.isDivided && device.migProfile === undefined && !isPartition(device),
      ).length,
      slots: new SlotsCache(),
      answers,
      labelled: new Map(),
      users: 0,
      preferenceScore: (cls, budget) => (scores.of(cls, budget) ?? scores.of(cls))?.score ?? 1,
      mayFit: (cls) => answers.fits(cls),
      deviceMatch: (cls) => answers.devices(cls),
    };
    this.#shapes.set(key, shape);
    return shape;
  }
}

/** True if the queue or its downtimes have changed. */
function isOther(before: QueueFacts | undefined, { revision, downtimes }: QueueFacts): boolean {
  if (before?.revision !== revision) return true;
  return canonicalJson(before.downtimes ?? []) !== canonicalJson(downtimes ?? []);
}

/** A worker with the identity of its host: the site is that of its queue. */
function hosted({ facts, shape }: KnownWorker): { readonly id: string; readonly hostKey: string } {
  return { id: facts.id, hostKey: hostKey(shape.queue.site, facts.host) };
}

/** The workers of its shape with the same labels. */
function labelledOf({ labelled }: KnownShape, profile: WorkerProfile): Labelled {
  const key = canonicalJson(profile.worker.labels);
  let known = labelled.get(key);
  // Selectors that read only labels can be evaluated against any of them.
  if (!known) {
    const answers = selectorEligibility(profile);
    const scores = new PreferenceScores(profile, 'LABELS', maxOwnScores);
    labelled.set(key, (known = { key, answers, scores, users: 0 }));
  }
  return known;
}

function workerOf({
  hosts,
  ...parts
}: Pick<KnownWorker, 'facts' | 'shape' | 'labelled' | 'profile' | 'devices' | 'downtimes'> & {
  readonly hosts: HostStandings;
}): KnownWorker {
  const { facts, shape, labelled, profile } = parts;
  const queueHost = queueHostOf(parts);
  let own: Eligibility | undefined;
  let ownScores: PreferenceScores | undefined;
  const selected = (cls: RequirementClass): boolean => {
    const scope = cls.selector?.scope ?? 'SHAPE';
    if (scope === 'SHAPE') return true;
    if (scope === 'LABELS') return labelled.answers.isYes(cls);
    return (own ??= selectorEligibility(profile)).isYes(cls);
  };
  const preference = (cls: RequirementClass, budget?: EvaluationBudget): PreferenceScore | undefined => {
    if (!cls.preferences) return undefined;
    const { scope } = cls.preferences;
    if (scope === 'SHAPE') return shape.scores.of(cls, budget);
    if (scope === 'LABELS') return labelled.scores.of(cls, budget);
    return (ownScores ??= new PreferenceScores(profile, 'WORKER', maxOwnScores)).of(cls, budget);
  };
  const worker: KnownWorker = {
    ...parts,
    preference,
    equivalenceKey: (scope) => (scope === 'SHAPE' ? shape : scope === 'LABELS' ? labelled : worker),
    fits: (cls) => hasAmounts(facts.hardware, cls.requirements) && shape.answers.fits(cls) && selected(cls),
    standing: (atMs) => hosts.of(queueHost, atMs),
  };
  return worker;
}
