/**
 * The fleet as the broker matches against it: live workers with their queues, and shapes. Workers that publish the same facts are of one
 * shape; whether a class fits a shape is decided once and remembered.
 */
import type { QueueFacts, ShareFacts, WorkerFacts } from './broker.types.js';
import { fitDevices, type DeviceFit } from '../gpus/device-fit.js';
import { arrangeDevices, type ArrangedDevices, type DeviceShape } from '../gpus/device-shape.js';
import { type Candidate, candidateOf, meetsAll } from './constraints.js';
import { canonicalJson, type RequirementClass } from './requirement-class.js';
import { type HostKind, SlotsCache } from './demand.js';
import { Neighbours } from './neighbours.js';
import { QuietHosts } from './quiet-hosts.js';
import { isPartition, wholeGpus } from '../gpus/parts.js';
import { type Totals, unknownShare } from './share-order.js';

/** What is known of a class and a candidate, beside the serial of the class; 0 where nothing is. */
const answerFits = 1;
const answerNo = 2;
const perSerial = 4;

/** What was decided about one candidate, by the index of the class; its serial goes with it, because indexes are used again. */
class Answers {
  #known = new Uint32Array(64);
  #devices: (DeviceFit | undefined)[] = [];

  constructor(readonly candidate: Candidate) {}

  fits(cls: RequirementClass): boolean {
    // A class that is asked for once has no place in the memory.
    if (cls.index < 0) return this.#decide(cls) !== undefined;
    if (cls.index >= this.#known.length) this.#grow(cls.index);
    const own = cls.serial * perSerial;
    const known = (this.#known[cls.index] ?? 0) - own;
    if (known === answerFits || known === answerNo) return known === answerFits;
    const decided = this.#decide(cls);
    this.#known[cls.index] = own + (decided ? answerFits : answerNo);
    this.#devices[cls.index] = decided?.devices;
    return decided !== undefined;
  }

  /** The devices that serve; for a class that fits. */
  devices(cls: RequirementClass): DeviceFit | undefined {
    if (cls.requirements.gpu === undefined) return undefined;
    if (cls.index < 0) return this.#decide(cls)?.devices;
    return this.fits(cls) ? this.#devices[cls.index] : undefined;
  }

  #decide(cls: RequirementClass): { readonly devices: DeviceFit | undefined } | undefined {
    const { gpu } = cls.requirements;
    if (!meetsAll(cls.hostConstraints, this.candidate)) return undefined;
    if (gpu === undefined) return { devices: undefined };
    const devices = fitDevices(gpu, this.candidate.devices());
    return devices || gpu.optional ? { devices } : undefined;
  }

  #grow(index: number): void {
    const wider = new Uint32Array(Math.max(index + 1, 2 * this.#known.length));
    wider.set(this.#known);
    this.#known = wider;
  }
}

/** Shapes of devices that nobody has now and that are kept all the same. */
const spareShapes = 64;

/** Workers that publish the same facts in the same queue. */
export interface Shape {
  readonly key: string;
  readonly queue: QueueFacts;
  readonly hasDevices: boolean;
  readonly hardware: WorkerFacts['hardware'];
  /** What was reckoned of rooms of this shape. */
  readonly slots: SlotsCache;
  /** Whether an empty worker of this shape could run the class; for a class that asks for a host, whether it might. */
  mayFit(cls: RequirementClass): boolean;
  /** Which of its devices serve the class; undefined where it asks for none, or they do not. */
  deviceFit(cls: RequirementClass): DeviceFit | undefined;
}

/** A live worker in the fleet. */
export interface FleetWorker {
  readonly facts: WorkerFacts;
  readonly shape: Shape;
  readonly candidate: Candidate;
  readonly devices: ArrangedDevices;
  /** Whether the worker, when empty, could run the class. */
  fits(cls: RequirementClass): boolean;
}

interface KnownShape extends Shape {
  readonly answers: Answers;
  /** Devices that are neither slices nor partitions, nor divided. */
  readonly wholeDevices: number;
  users: number;
}

interface KnownWorker extends FleetWorker {
  readonly shape: KnownShape;
}

/** See the head of this file. */
export class Fleet {
  /** Hosts without GPUs that are about to ask for work, where this process leads. */
  readonly quiet = new QuietHosts();
  /** Who tells of the same devices as others, live workers and those that have gone and have jobs still. */
  readonly neighbours = new Neighbours();
  #queues = new Map<string, QueueFacts>();
  #shares = new Map<string, ShareFacts>();
  readonly #workers = new Map<string, KnownWorker>();
  readonly #shapes = new Map<string, KnownShape>();
  readonly #deviceShapes = new Map<string, DeviceShape>();
  #hostKinds: readonly HostKind[] | undefined;
  #cores = 0;
  #memoryMiB = 0;
  #microGpus = 0;

  /** All that live workers offer. */
  get totals(): Totals {
    return { cores: this.#cores, memoryMiB: this.#memoryMiB, gpus: this.#microGpus / 1e6 };
  }

  /** All live workers. */
  workers(): IterableIterator<FleetWorker> {
    return this.#workers.values();
  }

  /** A live worker, or undefined. */
  worker(workerId: string): FleetWorker | undefined {
    return this.#workers.get(workerId);
  }

  /** Shapes of the live workers. */
  shapes(): IterableIterator<Shape> {
    return this.#shapes.values();
  }

  /** Kinds of hosts that have whole GPUs, with how many there are of each. */
  hostKinds(): readonly HostKind[] {
    if (this.#hostKinds) return this.#hostKinds;
    const kinds = new Map<string, HostKind>();
    for (const { hardware, wholeDevices, users } of this.#shapes.values()) {
      if (wholeDevices === 0) continue;
      const { cores, memoryMiB } = hardware;
      const key = `${cores} ${memoryMiB} ${wholeDevices}`;
      kinds.set(key, { cores, memoryMiB, gpus: wholeDevices, hosts: users + (kinds.get(key)?.hosts ?? 0) });
    }
    return (this.#hostKinds = [...kinds.values()]);
  }

  /** A queue, or undefined. */
  queue(queueId: string): QueueFacts | undefined {
    return this.#queues.get(queueId);
  }

  /** All queues. */
  queues(): IterableIterator<QueueFacts> {
    return this.#queues.values();
  }

  /** A leaf; one that nobody configured owns nothing. */
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

  /** Replaces the queues and shapes their workers anew where a queue changed. @returns the queues that changed */
  setQueues(queues: readonly QueueFacts[]): readonly QueueFacts[] {
    const before = this.#queues;
    this.#queues = new Map(queues.map((queue) => [queue.id, queue]));
    const changed = queues.filter((queue) => before.get(queue.id)?.revision !== queue.revision);
    const ids = new Set(changed.map(({ id }) => id));
    for (const worker of [...this.#workers.values()])
      if (ids.has(worker.facts.queueId)) this.put(worker.facts);
    return changed;
  }

  /** Takes in a live worker, or what changed of one. Unknown queues are not matched. */
  put(facts: WorkerFacts): FleetWorker | undefined {
    this.remove(facts.id);
    const queue = this.#queues.get(facts.queueId);
    if (!queue) return undefined;
    const devices = arrangeDevices(facts.devices, queue.limits.gpuSharing ?? false, this.#deviceShapes);
    const shape = this.#shapeOf(facts, queue, devices.shape);
    shape.users += 1;
    this.#hostKinds = undefined;
    const candidate = candidateOf(facts, queue, devices.shape);
    let own: Answers | undefined;
    const worker: KnownWorker = {
      facts,
      shape,
      candidate,
      devices,
      fits: (cls) =>
        (cls.selector?.usesIdentity ? (own ??= new Answers(candidate)) : shape.answers).fits(cls),
    };
    this.#workers.set(facts.id, worker);
    this.neighbours.put(facts);
    this.#count(facts, 1);
    return worker;
  }

  /** Takes out a worker that lives no more. @param hasJobs it holds its devices until {@link neighbours} forget it */
  remove(workerId: string, hasJobs = false): void {
    const worker = this.#workers.get(workerId);
    if (!worker) return;
    this.#workers.delete(workerId);
    if (hasJobs) this.neighbours.leave(worker.facts);
    else this.neighbours.remove(worker.facts);
    this.#count(worker.facts, -1);
    worker.shape.users -= 1;
    this.#hostKinds = undefined;
    if (worker.shape.users > 0) return;
    this.#shapes.delete(worker.shape.key);
    if (this.#deviceShapes.size > 2 * this.#shapes.size + spareShapes) this.#deviceShapes.clear();
  }

  #count({ hardware, devices }: WorkerFacts, sign: 1 | -1): void {
    this.#microGpus += sign * Math.round(wholeGpus(devices) * 1e6);
    this.#cores += sign * hardware.cores;
    this.#memoryMiB += sign * hardware.memoryMiB;
  }

  #shapeOf(facts: WorkerFacts, queue: QueueFacts, devices: DeviceShape): KnownShape {
    const { hardware, labels } = facts;
    const key = canonicalJson([queue.id, queue.revision, hardware, labels, devices.key]);
    const known = this.#shapes.get(key);
    if (known) return known;
    const answers = new Answers(candidateOf(facts, queue, devices));
    const shape: KnownShape = {
      key,
      queue,
      hasDevices: devices.facts.length > 0,
      hardware,
      wholeDevices: devices.facts.filter(
        (device) => !device.isDivided && device.migProfile === undefined && !isPartition(device),
      ).length,
      slots: new SlotsCache(),
      answers,
      users: 0,
      mayFit: (cls) => cls.selector?.usesIdentity === true || answers.fits(cls),
      deviceFit: (cls) => (cls.selector?.usesIdentity ? identityFit(cls, devices) : answers.devices(cls)),
    };
    this.#shapes.set(key, shape);
    return shape;
  }
}

/** Workers of one shape may differ for the class; their devices do not. */
function identityFit(
  { requirements: { gpu } }: RequirementClass,
  devices: DeviceShape,
): DeviceFit | undefined {
  return gpu && fitDevices(gpu, devices);
}
