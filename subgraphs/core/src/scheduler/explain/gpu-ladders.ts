/** GPU requirements with amounts: each may be lowered step by step to values that devices have. */
import { compareVersions, isVersion } from '../../gpus/catalogue/versions.js';
import { capabilityOf } from '../../gpus/verdict/cuda-check.js';
import { deviceChecks } from '../../gpus/verdict/device-checks.js';
import type { Device } from '../../gpus/verdict/verdict.types.js';
import { togetherText } from '../requirements/gpu-constraints.js';
import { plural } from '../../shared/plural.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';

type Step = string | number;

/** An amount that may be lowered. */
export interface Ladder {
  readonly constraint: string;
  /** Names of the checks that a step may affect. */
  readonly affects: readonly string[];
  /**
   * Steps that may suffice for a host, from its devices that no other check excludes, and the number of such
   * devices.
   */
  stepsOf(devices: readonly Device[], count: number): readonly Step[];
  /** Compares steps: the nearest to the requirement first. */
  compare(a: Step, b: Step): number;
  change(step: Step): string;
  requirement(step: Step): StoredGpuRequirement;
  cost(step: Step): number;
}

/** Text of a check as a constraint. */
export function textOf(gpu: StoredGpuRequirement, check: string): string {
  return deviceChecks.find(({ name }) => name === check)?.text(gpu) ?? check;
}

/** The ladders of a requirement. */
export function gpuLadders(gpu: StoredGpuRequirement): readonly Ladder[] {
  return [...memoryLadder(gpu), ...versionLadders(gpu), ...countLadder(gpu)];
}

const fewer = (a: Step, b: Step): number => Number(b) - Number(a);
const older = (a: Step, b: Step): number => compareVersions(String(b), String(a));

/** Memory of the device and memory of the share form one ladder. */
function memoryLadder(gpu: StoredGpuRequirement): readonly Ladder[] {
  const { minMemoryMiB, shareMemoryMiB } = gpu;
  const wanted = Math.max(minMemoryMiB ?? 0, shareMemoryMiB ?? 0);
  if (wanted === 0) return [];
  const atMost = (required: number | undefined, step: Step): number => Math.min(required ?? 0, Number(step));
  return [
    {
      constraint: textOf(gpu, 'memory'),
      affects: ['memory'],
      stepsOf: (devices) =>
        devices.flatMap(({ memoryMiB = 0 }) => (memoryMiB > 0 && memoryMiB < wanted ? [memoryMiB] : [])),
      compare: fewer,
      change: (step) => `gpu memoryMiB >= ${step} instead of ${wanted}`,
      requirement: (step) => ({
        ...gpu,
        ...(minMemoryMiB === undefined ? {} : { minMemoryMiB: atMost(minMemoryMiB, step) }),
        ...(shareMemoryMiB === undefined ? {} : { shareMemoryMiB: atMost(shareMemoryMiB, step) }),
      }),
      cost: (step) => 1 - Number(step) / wanted,
    },
  ];
}

const versions = [
  {
    name: 'minComputeCapability',
    check: 'capability',
    term: 'capability',
    of: capabilityOf,
    cost: 0.5,
  },
  {
    name: 'minDriverVersion',
    check: 'driver',
    term: 'driver',
    of: ({ driverVersion }: Device) => driverVersion,
    cost: 0.3,
  },
] as const;

function versionLadders(gpu: StoredGpuRequirement): readonly Ladder[] {
  return versions.flatMap(({ name, check, term, of, cost }): Ladder[] => {
    const wanted = gpu[name];
    if (wanted === undefined || !isVersion(wanted)) return [];
    return [
      {
        constraint: textOf(gpu, check),
        affects: [check],
        stepsOf: (devices) =>
          devices.map(of).filter((have) => isVersion(have) && compareVersions(have, wanted) < 0) as string[],
        compare: older,
        change: (step) => `${term} >= ${step} instead of ${wanted}`,
        requirement: (step) => ({ ...gpu, [name]: String(step) }),
        cost: () => cost,
      },
    ];
  });
}

function countLadder(gpu: StoredGpuRequirement): readonly Ladder[] {
  const { count } = gpu;
  if (count === 1) return [];
  return [
    {
      constraint: togetherText(gpu),
      // A single GPU needs no connection.
      affects: ['nvlink'],
      stepsOf: (_devices, have) => Array.from({ length: Math.min(have, count - 1) }, (_, index) => index + 1),
      compare: fewer,
      change: (step) => `${plural(Number(step), 'gpu')} on one host instead of ${count}`,
      requirement: (step) => ({ ...gpu, count: Number(step) }),
      cost: (step) => 1 - Number(step) / count,
    },
  ];
}
