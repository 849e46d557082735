/** A shape in the form that core matches: the worker that a pilot would register. */
import type { DeepReadonly } from '@rhizome/config';
import { lifetimeOf } from '../config.js';
import type { PilotDemandInput } from '../operations.generated.js';
import type { BatchResources } from '../providers/provider.types.js';
import type { ShapeSettings } from '../settings.js';

type Shape = DeepReadonly<ShapeSettings>;

/** The shape for `pilotDemand`. */
export function shapeInput(shape: Shape, drainSeconds: number): PilotDemandInput['shapes'][number] {
  const { name, cores, memoryMiB, diskMiB, architecture, labels, gpus, walltimeSeconds } = shape;
  return {
    name,
    hardware: {
      ...{ architecture, cores, memoryMiB, diskMiB },
      architectureLevel: shape.architectureLevel ?? null,
      containerRuntimes: [...shape.containerRuntimes],
      isolation: [...shape.isolation],
      hasNetwork: shape.hasNetwork ?? null,
    },
    labels: Object.entries(labels).map(([key, value]) => ({ key, value })),
    devices: gpus ? devicesOf(gpus) : [],
    lifetimeSeconds: lifetimeOf(walltimeSeconds, drainSeconds),
  };
}

/** The resources that the batch system is asked for. */
export function resourcesOf(shape: Shape): BatchResources {
  const { name, cores, memoryMiB, pilotMemoryMiB, gpus, walltimeSeconds } = shape;
  return {
    shape: name,
    ...{ cores, walltimeSeconds, memoryMiB: memoryMiB + pilotMemoryMiB },
    gpus: gpus?.count ?? 0,
    gpuType: gpus?.type,
    arguments: shape.arguments,
  };
}

function devicesOf({ count, type: _type, ...facts }: NonNullable<Shape['gpus']>) {
  return Array.from({ length: count }, (_, number) => ({
    id: `gpu-${number}`,
    health: 'HEALTHY' as const,
    ...facts,
  }));
}
