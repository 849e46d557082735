/**
 * Decides how many pilots to request and which waiting ones to cancel. Each cycle requests a third of what is
 * missing: pilots that others start, and jobs that others take, show in the next one. Pure.
 */
import { perCycleAt } from './feedback.js';
import type { Decisions, Demand, LoopMemory, LoopSettings, OpenPilot, PilotRequest } from './loop.types.js';

/** Facts of one cycle. */
export interface CycleFacts {
  readonly nowMs: number;
  /** Demand for pilots; undefined if core did not answer. */
  readonly demand: readonly Demand[] | undefined;
  /** True if the batch system answered with all its jobs. */
  readonly isListed: boolean;
  readonly pilots: readonly OpenPilot[];
}

const minuteMs = 60_000;
/** Part of what is missing that one cycle requests. */
const ramp = 1 / 3;
/** Cycles for which pilots must be too many before one is cancelled. */
const excessCycles = 5;

/** Decides about one cycle. @returns the decisions, and the memory for the next one */
export function decide(
  facts: CycleFacts,
  settings: LoopSettings,
  memory: LoopMemory,
): { readonly decisions: Decisions; readonly memory: LoopMemory } {
  const recent = memory.recent.filter(({ atMs }) => facts.nowMs - atMs < minuteMs);
  const stop = reasonToStop(facts, settings, memory);
  const { cancels, excess } = toCancel(facts, settings, memory);
  if (stop !== undefined)
    return {
      decisions: { requests: [], cancels, reasons: [stop] },
      memory: { ...memory, recent, excess },
    };
  const inMinute = recent.reduce((sum, { count }) => sum + count, 0);
  const { requests, reasons } = toRequest(facts, settings, memory.level, inMinute);
  const count = requests.reduce((sum, request) => sum + request.count, 0);
  const now = count > 0 ? [{ atMs: facts.nowMs, count }] : [];
  return {
    decisions: { requests, cancels, reasons },
    memory: { ...memory, recent: [...recent, ...now], excess },
  };
}

function reasonToStop(
  { demand, isListed, pilots }: CycleFacts,
  { limits, isDraining }: LoopSettings,
  { skip, level }: LoopMemory,
): string | undefined {
  if (isDraining) return 'the queue is draining';
  if (demand === undefined) return 'the demand is not known';
  if (!isListed) return 'the pilots in the batch system are not known';
  const held = pilots.filter(({ state }) => state === 'HELD').length;
  if (held >= limits.held) return `${held} pilots are held; the limit is ${limits.held}`;
  if (skip > 0) return `pilots failed or had no work (level ${level}); the next try is in ${skip} cycles`;
  return undefined;
}

function toRequest(
  { demand = [], pilots }: CycleFacts,
  { limits }: LoopSettings,
  level: number,
  inMinute: number,
): Pick<Decisions, 'requests' | 'reasons'> {
  const reasons: string[] = [];
  const requests: PilotRequest[] = [];
  const left = {
    open: limits.open - pilots.length,
    pending: limits.pending - pilots.filter(mayWait).length,
    'pilots of a cycle': perCycleAt(limits.perCycle, level),
    'pilots of a minute': limits.perMinute - inMinute,
  };
  const ofClass = countsBy(pilots, keyOf);
  const ofExperiment = countsBy(pilots, ({ experiment }) => experiment);
  for (const one of [...demand].sort((a, b) => b.missingJobs - a.missingJobs)) {
    const { classId, experiment, shape, jobsPerPilot, missingJobs, reason } = one;
    if (missingJobs <= 0) continue;
    if (shape === undefined) {
      reasons.push(`${classId} of ${experiment}: ${reason ?? 'no shape serves it'}`);
      continue;
    }
    const wanted = Math.ceil(missingJobs / Math.max(1, jobsPerPilot));
    const bounds = {
      ...left,
      'open pilots of its class': limits.perClass - (ofClass.get(keyOf(one)) ?? 0),
      'open pilots of its experiment':
        boundOf(limits.perExperiment, experiment) - (ofExperiment.get(experiment) ?? 0),
    };
    const [bound, most] = least(bounds);
    const count = Math.min(Math.ceil(wanted * ramp), most);
    if (count <= 0) {
      reasons.push(`${classId} of ${experiment}: ${wanted} pilots wanted; at the limit of ${bound}`);
      continue;
    }
    requests.push({ classId, experiment, shape, jobsPerPilot, count });
    reasons.push(`${classId} of ${experiment}: ${count} of ${wanted} pilots of shape ${shape}`);
    for (const name of Object.keys(left) as (keyof typeof left)[]) left[name] -= count;
    ofExperiment.set(experiment, (ofExperiment.get(experiment) ?? 0) + count);
  }
  return { requests, reasons };
}

function boundOf(limits: Readonly<Record<string, number>>, experiment: string): number {
  return Object.hasOwn(limits, experiment) ? (limits[experiment] ?? Infinity) : Infinity;
}

/**
 * Waiting pilots to cancel: those whose code has ended, the newest where there are too many, and all while
 * the queue drains.
 */
function toCancel(
  { demand, isListed, pilots, nowMs }: CycleFacts,
  { isDraining, times }: LoopSettings,
  { excess: before }: LoopMemory,
): { readonly cancels: readonly OpenPilot[]; readonly excess: LoopMemory['excess'] } {
  const waiting = pilots.filter((pilot) => isWaiting(pilot) && pilot.batchJobId !== undefined);
  if (!isListed) return { cancels: [], excess: before };
  if (isDraining) return { cancels: waiting, excess: new Map() };
  const cancels = new Set(waiting.filter(({ requestedAtMs }) => nowMs - requestedAtMs > times.codeMs));
  if (demand === undefined) return { cancels: [...cancels], excess: before };
  const excess = new Map<string, number>();
  const wantedOf = new Map(
    demand.map((one) => [keyOf(one), Math.ceil(one.waitingJobs / Math.max(1, one.jobsPerPilot))]),
  );
  for (const [key, own] of groupedBy(waiting, keyOf)) {
    const many = own.length - (wantedOf.get(key) ?? 0);
    if (many <= 0) continue;
    const cycles = (before.get(key) ?? 0) + 1;
    excess.set(key, cycles);
    if (cycles < excessCycles) continue;
    for (const pilot of own.sort((a, b) => b.requestedAtMs - a.requestedAtMs).slice(0, many))
      cancels.add(pilot);
  }
  return { cancels: [...cancels], excess };
}

/** True unless the pilot has started: one that is unknown or held may wait, too. */
function mayWait({ state, worker }: OpenPilot): boolean {
  return worker === undefined && state !== 'RUNNING';
}

/** True for a pilot that has not started. */
function isWaiting({ state, worker }: OpenPilot): boolean {
  return worker === undefined && (state === 'REQUESTED' || state === 'SUBMITTED' || state === 'PENDING');
}

function keyOf({ classId, experiment }: Pick<Demand, 'classId' | 'experiment'>): string {
  return `${classId} ${experiment}`;
}

function least(bounds: Readonly<Record<string, number>>): readonly [string, number] {
  return Object.entries(bounds).reduce(
    (smallest, bound) => (bound[1] < smallest[1] ? bound : smallest),
    ['', Infinity],
  );
}

function countsBy(pilots: readonly OpenPilot[], key: (pilot: OpenPilot) => string): Map<string, number> {
  return new Map([...groupedBy(pilots, key)].map(([name, own]) => [name, own.length]));
}

function groupedBy(
  pilots: readonly OpenPilot[],
  key: (pilot: OpenPilot) => string,
): ReadonlyMap<string, OpenPilot[]> {
  const groups = new Map<string, OpenPilot[]>();
  for (const pilot of pilots) {
    const own = groups.get(key(pilot));
    if (own) own.push(pilot);
    else groups.set(key(pilot), [pilot]);
  }
  return groups;
}
