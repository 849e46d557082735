/**
 * One pass of the matcher: which ready jobs go to which of the workers that ask. Pure but for the windows and the ledger it is handed, which
 * it changes as it decides; it reads no clock. Shares are served by their order, inside a share priority goes before age across all classes,
 * and a class that does not fit a worker is set aside for it, whatever number of jobs it has.
 */
import type { AcquireRequest, LedgerEntry, ReadyJob } from './broker.types.js';
import type { Fleet, FleetWorker, Shape } from './fleet.js';
import { chooseDevices } from './gpu-match.js';
import { Heap } from './heap.js';
import type { Ledger } from './ledger.js';
import { compareKeys, type ReadyWindow } from './ready-window.js';
import { experimentOf, type ReadyWindows } from './ready-windows.js';
import type { RequirementClass } from './requirement-class.js';
import { compareStandings, mayTake, ownerMayTake, type ShareStanding, standing } from './share-order.js';

/** A worker that asks, with what it may get at most in this pass. */
export interface PassRequest {
  readonly worker: FleetWorker;
  readonly request: AcquireRequest;
  readonly limit: number;
}

/** A job chosen for a worker; it has left its window and stands in the ledger, unwritten. */
export interface Choice {
  readonly entry: LedgerEntry;
  readonly cls: RequirementClass;
}

/** What a pass decided. */
export interface PassResult {
  /** Choices of each request, in the order of the requests. */
  readonly picks: readonly (readonly Choice[])[];
  /** Jobs whose owners are over their limit; they have left their windows. */
  readonly throttled: readonly { readonly jobId: string; readonly share: string; readonly owner: string }[];
}

/** What a pass works on. */
export interface MatcherState {
  readonly fleet: Fleet;
  readonly windows: ReadyWindows;
  readonly ledger: Ledger;
  /** A class that is ready for matching, or undefined while it is not loaded. */
  classOf(classId: string): RequirementClass | undefined;
}

/** A window in a heap, with the head it was put in by: heads only move backwards during a pass, so a stale one is put in again. */
interface Queued {
  readonly window: ReadyWindow;
  readonly cls: RequirementClass;
  readonly head: ReadyJob;
}

interface ShareView {
  readonly path: string;
  readonly heap: Heap<Queued>;
}

/** The candidates of one shape: made once a pass for all workers of the shape whose callers may take the same. */
interface ShapeView {
  readonly shares: readonly ShareView[];
  readonly minCores: number;
  readonly minMemoryMiB: number;
}

interface Room {
  cores: number;
  memoryMiB: number;
  diskMiB: number;
  readonly devices: Set<string>;
  readonly seconds: number;
}

/** Decides a pass. `sinceMs` is what the entries of the ledger are dated with. */
export function matchPass(
  state: MatcherState,
  requests: readonly PassRequest[],
  sinceMs: number,
): PassResult {
  const views = new Map<Shape, Map<string, ShapeView>>();
  const throttled: { jobId: string; share: string; owner: string }[] = [];
  const picks = requests.map((request) => {
    const { shape } = request.worker;
    const { experiments } = request.request;
    let ofShape = views.get(shape);
    if (!ofShape) views.set(shape, (ofShape = new Map()));
    const key = experiments?.join(' ') ?? '*';
    let view = ofShape.get(key);
    if (!view) ofShape.set(key, (view = viewOf(state, shape, experiments)));
    return new Taking(state, request, view, throttled, sinceMs).run();
  });
  return { picks, throttled };
}

function viewOf(state: MatcherState, shape: Shape, mayTakeOf: readonly string[] | undefined): ShapeView {
  const shares: ShareView[] = [];
  let [minCores, minMemoryMiB] = [Infinity, Infinity];
  const admits = shape.queue.experiments;
  for (const [path, windows] of state.windows.byShare()) {
    const experiment = experimentOf(path);
    if ((admits.length > 0 && !admits.includes(experiment)) || mayTakeOf?.includes(experiment) === false)
      continue;
    const heap = new Heap<Queued>((a, b) => compareKeys(a.head, b.head));
    for (const window of windows.values()) {
      const cls = window.head && state.classOf(window.classId);
      if (!cls || !window.head || !shape.mayFit(cls)) continue;
      heap.push({ window, cls, head: window.head });
      minCores = Math.min(minCores, cls.requirements.cores);
      minMemoryMiB = Math.min(minMemoryMiB, cls.requirements.memoryMiB);
    }
    if (heap.size > 0) shares.push({ path, heap });
  }
  return { shares, minCores, minMemoryMiB };
}

/** What a worker has room for: what it says, but never more than the ledger leaves of what it has. */
function roomOf({ ledger }: MatcherState, { worker, request }: PassRequest): Room {
  const { id, hardware, devices } = worker.facts;
  const used = ledger.workerUse(id);
  const offered = new Set(request.freeDeviceIds);
  return {
    cores: Math.min(request.free.cores, hardware.cores - used.cores),
    memoryMiB: Math.min(request.free.memoryMiB, hardware.memoryMiB - used.memoryMiB),
    diskMiB: Math.min(request.free.diskMiB, hardware.diskMiB - used.diskMiB),
    devices: new Set(
      devices
        .filter((d) => offered.has(d.id) && ledger.deviceHolder(id, d.id) === undefined)
        .map((d) => d.id),
    ),
    seconds: request.remainingSeconds ?? Infinity,
  };
}

/** The taking of jobs for one worker. */
class Taking {
  readonly #picks: Choice[] = [];
  readonly #aside: [ShareView, Queued][] = [];
  readonly #exhausted = new Set<ShareView>();
  readonly #room: Room;

  constructor(
    private readonly state: MatcherState,
    private readonly asked: PassRequest,
    private readonly view: ShapeView,
    private readonly throttled: { jobId: string; share: string; owner: string }[],
    private readonly sinceMs: number,
  ) {
    this.#room = roomOf(state, asked);
  }

  run(): readonly Choice[] {
    let left = this.#mostJobs();
    while (
      left > 0 &&
      this.#room.cores >= this.view.minCores &&
      this.#room.memoryMiB >= this.view.minMemoryMiB
    ) {
      const share = this.#nextShare();
      if (!share) break;
      if (this.#takeFrom(share)) left -= 1;
      else this.#exhausted.add(share);
    }
    for (const [share, queued] of this.#aside) share.heap.push(queued);
    return this.#picks;
  }

  #mostJobs(): number {
    const { worker, request, limit } = this.asked;
    if (worker.facts.state !== 'READY') return 0;
    const { queue } = worker.shape;
    const most = queue.limits.maxRunningJobs;
    const room = most === undefined ? Infinity : most - this.state.ledger.queueJobs(queue.id);
    return Math.min(request.count, limit, room);
  }

  #nextShare(): ShareView | undefined {
    const { fleet, ledger } = this.state;
    let best: { share: ShareView; standing: ShareStanding } | undefined;
    for (const share of this.view.shares) {
      if (this.#exhausted.has(share)) continue;
      const at = standing(fleet.share(share.path), ledger.shareUse(share.path), fleet.totals);
      if (!best || compareStandings(at, best.standing) < 0) best = { share, standing: at };
    }
    return best?.share;
  }

  /** Takes the first job of the share that fits. @returns false when the share has none for this worker */
  #takeFrom(share: ShareView): boolean {
    for (;;) {
      const queued = share.heap.pop();
      if (!queued) return false;
      const job = queued.window.head;
      if (!job) continue;
      if (job !== queued.head) {
        share.heap.push({ ...queued, head: job });
        continue;
      }
      const deviceIds = this.#devicesFor(queued.cls, share.path);
      if (!deviceIds) {
        this.#aside.push([share, queued]);
        continue;
      }
      queued.window.shift();
      const next = queued.window.head;
      if (next) share.heap.push({ ...queued, head: next });
      // In somebody's hands: it was ready by an old word only. When it comes back, its event puts it in again.
      if (this.state.ledger.get(job.id)) continue;
      if (this.#isOwnerOver(share.path, job, queued.cls)) {
        this.throttled.push({ jobId: job.id, share: share.path, owner: job.owner });
        continue;
      }
      this.#take(job, queued.cls, share.path, deviceIds);
      return true;
    }
  }

  /** The devices that a job of the class would get, or undefined if there is no room for it now. */
  #devicesFor(cls: RequirementClass, path: string): readonly string[] | undefined {
    const { cores, memoryMiB, diskMiB, walltimeSeconds, gpu } = cls.requirements;
    const room = this.#room;
    if (
      cores > room.cores ||
      memoryMiB > room.memoryMiB ||
      diskMiB > room.diskMiB ||
      walltimeSeconds > room.seconds
    )
      return undefined;
    const { fleet, ledger } = this.state;
    if (!mayTake(fleet.share(path), ledger.shareUse(path), cores)) return undefined;
    const { worker } = this.asked;
    if (cls.selector?.usesIdentity && !worker.fits(cls)) return undefined;
    return chooseDevices(gpu, worker.facts.devices, (id) => room.devices.has(id));
  }

  #isOwnerOver(path: string, job: ReadyJob, cls: RequirementClass): boolean {
    const { fleet, ledger } = this.state;
    const share = fleet.share(path);
    return (
      share.ownerLimitCores !== undefined &&
      !ownerMayTake(share, ledger.ownerCores(path, job.owner), cls.requirements.cores)
    );
  }

  #take(job: ReadyJob, cls: RequirementClass, share: string, deviceIds: readonly string[]): void {
    const { requirements } = cls;
    const { worker } = this.asked;
    const entry: LedgerEntry = {
      jobId: job.id,
      workerId: worker.facts.id,
      queueId: worker.shape.queue.id,
      share,
      owner: job.owner,
      classId: cls.id,
      requirements,
      deviceIds,
      attempt: job.attempt + 1,
      fence: Infinity,
      state: 'SENT',
      since: this.sinceMs,
    };
    this.state.ledger.add(entry);
    this.#room.cores -= requirements.cores;
    this.#room.memoryMiB -= requirements.memoryMiB;
    this.#room.diskMiB -= requirements.diskMiB;
    for (const id of deviceIds) this.#room.devices.delete(id);
    this.#picks.push({ entry, cls });
  }
}
