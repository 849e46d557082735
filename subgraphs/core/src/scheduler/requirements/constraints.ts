/** Requirements of a job as constraints on a worker, for matching and for explaining why a job waits. */
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { anyRuntime } from '../../jobs/model/platforms.js';
import { arrangeDevices, type DeviceSet } from '../../gpus/capacity/device-set.js';
import { gpuConstraints } from './gpu-constraints.js';
import { type Selector, type SelectorView, selectorView } from './selector.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import { allowedWalltimeSeconds } from '../../queues/walltime.js';
import type { PayloadIsolation, StoredHardware } from '../worker-facts.types.js';
import type { WorkerProfile, AmountName, Subject, Constraint } from './constraint.types.js';

/**
 * Returns the facts of a worker with its queue for matching. @param set its devices, if already arranged
 */
export function profileOf(
  worker: WorkerProfile['worker'],
  queue: QueueFacts,
  set?: DeviceSet,
): WorkerProfile {
  let view: SelectorView | undefined;
  let devices = set;
  return {
    worker,
    queue,
    view: () => (view ??= selectorView(worker, queue)),
    devices: () => (devices ??= arrangeDevices(worker.devices, queue.limits.gpuSharing ?? false).set),
  };
}

/** Returns all constraints of the requirements, the cheap and selective ones first. */
export function constraintsOf(
  requirements: StoredRequirements,
  selector: Selector | undefined,
): readonly Constraint[] {
  return [...hostConstraintsOf(requirements, selector), ...gpuConstraints(requirements)];
}

/** Returns the constraints that do not concern devices. */
export function hostConstraintsOf(
  requirements: StoredRequirements,
  selector: Selector | undefined,
): readonly Constraint[] {
  return [
    queueConstraint(requirements),
    ...amountNames.map((name) => amount(name, requirements[name])),
    ...walltime(requirements),
    ...platform(requirements),
    ...surroundings(requirements),
    ...(selector ? [selectorConstraint(selector)] : []),
  ];
}

/**
 * Returns the constraints that all workers of one shape meet or none: all except devices and host amounts,
 * but including queue limits.
 */
export function shapeConstraintsOf(
  requirements: StoredRequirements,
  selector: Selector | undefined,
): readonly Constraint[] {
  const own = selector?.scope === 'SHAPE' ? selector : undefined;
  const constraints = hostConstraintsOf(requirements, own);
  return [...constraints.filter(({ about }) => !isAmount(about)), ...queueLimits(requirements)];
}

/** Returns true if the empty host has the amounts. */
export function hasAmounts(
  have: Readonly<Record<AmountName, number>>,
  wanted: Readonly<Record<AmountName, number>>,
): boolean {
  return have.cores >= wanted.cores && have.memoryMiB >= wanted.memoryMiB && have.diskMiB >= wanted.diskMiB;
}

/** Returns true if the candidate meets all constraints. */
export function meetsAll(constraints: readonly Constraint[], profile: WorkerProfile): boolean {
  return constraints.every((constraint) => constraint.refusal(profile) === undefined);
}

function queueConstraint(requirements: StoredRequirements): Constraint {
  const { queue: bound } = requirements;
  return {
    about: 'queue',
    text: bound === undefined ? 'queue takes work by brokerage' : `queue = ${bound}`,
    refusal(profile) {
      const { queue } = profile;
      if (bound !== undefined && bound !== queue.name) return `queue is ${queue.name}`;
      const takesBound = queue.state === 'TEST' || queue.state === 'BROKEROFF';
      const takes = queue.state === 'ONLINE' || (takesBound && bound !== undefined);
      return takes ? isolationRefusal(requirements, profile) : `queue ${queue.name} is ${queue.state}`;
    },
  };
}

const amountNames: readonly AmountName[] = ['cores', 'memoryMiB', 'diskMiB'];

/** Returns true for an amount of the host. */
export function isAmount(about: Subject): about is AmountName {
  return amountNames.some((name) => name === about);
}

/** Limit of a queue for one job. */
export function queueLimit(name: AmountName, { limits }: QueueFacts): number | undefined {
  if (name === 'diskMiB') return undefined;
  return name === 'cores' ? limits.maxCores : limits.maxMemoryMiB;
}

function amount(name: AmountName, wanted: number): Constraint {
  return {
    about: name,
    text: `${name} >= ${wanted}`,
    refusal({ worker: { hardware }, queue }) {
      return hardware[name] < wanted ? `has ${hardware[name]}` : limitRefusal(name, wanted, queue);
    },
  };
}

function limitRefusal(name: AmountName, wanted: number, queue: QueueFacts): string | undefined {
  const most = queueLimit(name, queue);
  return most !== undefined && wanted > most ? `queue ${queue.name} allows ${most}` : undefined;
}

function queueLimits(requirements: StoredRequirements): readonly Constraint[] {
  return amountNames.map((name) => ({
    about: name,
    text: `${name} <= what the queue allows`,
    refusal: ({ queue }) => limitRefusal(name, requirements[name], queue),
  }));
}

function walltime({ walltimeSeconds }: StoredRequirements): readonly Constraint[] {
  return [
    {
      about: 'walltimeSeconds',
      text: `walltimeSeconds >= ${walltimeSeconds}`,
      refusal({ queue }) {
        const most = allowedWalltimeSeconds(queue);
        return walltimeSeconds > most ? `queue ${queue.name} allows ${most}` : undefined;
      },
    },
  ];
}

function platform(requirements: StoredRequirements): readonly Constraint[] {
  const { architecture, architectureLevel } = requirements;
  const found: Constraint[] = [];
  if (architecture !== undefined) {
    found.push({
      about: 'architecture',
      text: `architecture = ${architecture}`,
      refusal: ({ worker }) =>
        instructionSet(worker.hardware.architecture) === instructionSet(architecture)
          ? undefined
          : `is ${worker.hardware.architecture}`,
    });
  }
  if (architectureLevel !== undefined) {
    found.push({
      about: 'architectureLevel',
      text: `architectureLevel >= ${architectureLevel}`,
      refusal: ({ worker }) =>
        levelServes(worker.hardware.architectureLevel, architectureLevel)
          ? undefined
          : `is ${worker.hardware.architectureLevel ?? 'unknown'}`,
    });
  }
  return found;
}

function surroundings({ containerRuntime, network, secrets }: StoredRequirements): readonly Constraint[] {
  const found: Constraint[] = [];
  if (containerRuntime !== undefined) {
    found.push({
      about: 'containerRuntime',
      text: `containerRuntimes has ${containerRuntime}`,
      refusal: ({ worker: { hardware } }) => {
        const { containerRuntimes } = hardware;
        if (containerRuntime === anyRuntime) return containerRuntimes.length > 0 ? undefined : 'has none';
        return containerRuntimes.includes(containerRuntime) ? undefined : 'does not have it';
      },
    });
  }
  if (network) {
    found.push({
      about: 'network',
      text: 'network',
      refusal: ({ worker }) =>
        worker.hardware.network === true
          ? undefined
          : worker.hardware.network === false
            ? 'has none'
            : 'is unknown',
    });
  }
  if (secrets) {
    found.push({
      about: 'secrets',
      text: 'isolation and a credential of the worker, for secrets and tokens',
      refusal: ({ worker: { hardware, keyThumbprint } }) => {
        if (keyThumbprint === undefined) return 'has no credential of its own: its pilot is not enrolled';
        return isIsolated(containerRuntime, hardware)
          ? undefined
          : `has no isolation ${whichOf(containerRuntime)}`;
      },
    });
  }
  return found;
}

/** Runtimes and the means of isolation that they are. */
const isolatingRuntimes: Readonly<Record<string, PayloadIsolation>> = {
  apptainer: 'APPTAINER',
  singularity: 'APPTAINER',
  podman: 'PODMAN',
};

/** Reason why a worker cannot isolate the payload as its queue requires. An image's runtime isolates it. */
function isolationRefusal(
  { containerRuntime }: StoredRequirements,
  { worker: { hardware }, queue }: WorkerProfile,
): string | undefined {
  if (queue.isolation !== 'REQUIRED' || isIsolated(containerRuntime, hardware)) return undefined;
  return `queue ${queue.name} requires isolation, and the worker has none ${whichOf(containerRuntime)}`;
}

/** True if the worker can isolate the payload. */
function isIsolated(containerRuntime: string | undefined, { isolation }: StoredHardware): boolean {
  const isSuited = (means: PayloadIsolation): boolean => {
    if (containerRuntime === undefined) return means === 'NAMESPACES';
    if (containerRuntime === anyRuntime) return means !== 'NAMESPACES';
    return means === isolatingRuntimes[containerRuntime];
  };
  return isolation?.some(isSuited) === true;
}

function whichOf(containerRuntime: string | undefined): string {
  return containerRuntime === undefined
    ? 'for payloads without image: it needs bubblewrap that works on its host'
    : 'for payloads in images: it needs Apptainer or Podman that works on its host';
}

function selectorConstraint(selector: Selector): Constraint {
  return {
    about: 'selector',
    text: `selector: ${selector.text}`,
    refusal: (profile) =>
      selector.accepts(profile.view()) ? undefined : 'not met, or an attribute is unknown',
  };
}

const aliases: Readonly<Record<string, string>> = { amd64: 'x86_64', 'x86-64': 'x86_64', arm64: 'aarch64' };

function instructionSet(name: string): string {
  const lower = name.toLowerCase();
  return aliases[lower] ?? lower;
}

/** Levels of one family (`x86-64-v2` ≤ `x86-64-v3`) compare by their number; others must be equal. */
function levelServes(have: string | undefined, want: string): boolean {
  if (have === undefined) return false;
  const pattern = /^(.*)-v(\d+)$/;
  const [a, b] = [pattern.exec(have), pattern.exec(want)];
  if (!a || !b) return have === want;
  return a[1] === b[1] && Number(a[2]) >= Number(b[2]);
}
