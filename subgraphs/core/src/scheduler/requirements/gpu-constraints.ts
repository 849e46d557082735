/** What a job asks of the devices of a worker, as constraints: for explaining why it waits. */
import { deviceChecks } from '../../gpus/verdict/device-checks.js';
import { fitDevices } from '../../gpus/verdict/device-fit.js';
import type { DeviceShape } from '../../gpus/capacity/device-shape.js';
import { deviceVerdict } from '../../gpus/verdict/device-verdict.js';
import type { Device, Verdict } from '../../gpus/verdict/verdict.types.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { plural } from '../../shared/plural.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { Constraint } from './constraint.types.js';

/** What is asked of devices: each thing by itself, then all together on one host. GPUs that are optional are no constraint. */
export function gpuConstraints({ gpu }: StoredRequirements): readonly Constraint[] {
  if (gpu === undefined || gpu.optional) return [];
  const each = deviceChecks.flatMap((check): Constraint[] => {
    const text = check.text(gpu);
    if (text === undefined) return [];
    const verdictsOf = ofLastShape((shape) => verdictsByKind(shape, (facts) => check.check(gpu, facts)));
    return [
      {
        about: 'devices',
        text,
        devicesThatPass: (profile) => verdictsOf(profile.devices()).map(({ kind }) => kind !== 'NO'),
        refusal(profile) {
          const verdicts = verdictsOf(profile.devices());
          if (verdicts.length === 0) return 'has no devices';
          const passing = verdicts.filter(({ kind }) => kind !== 'NO').length;
          if (passing >= gpu.count) return undefined;
          const reason = verdicts.find(({ kind }) => kind === 'NO')?.reason;
          return reason ?? `has ${verdicts.length} of ${gpu.count} devices`;
        },
      },
    ];
  });
  return [...each, together(gpu)];
}

/** Devices of one kind have one verdict. */
function verdictsByKind(
  { facts, kinds }: DeviceShape,
  verdictOn: (facts: Device) => Verdict,
): readonly Verdict[] {
  const known: Verdict[] = [];
  return facts.map((one, position) => (known[kinds[position] ?? 0] ??= verdictOn(one)));
}

/** What was reckoned of a shape is asked for again at once, and not later. */
function ofLastShape<T>(reckon: (shape: DeviceShape) => T): (shape: DeviceShape) => T {
  let last: { readonly shape: DeviceShape; readonly value: T } | undefined;
  return (shape) => {
    if (last?.shape !== shape) last = { shape, value: reckon(shape) };
    return last.value;
  };
}

/** How what is asked of the devices of one host reads. */
export function togetherText({ count, nvlink, exclusive }: StoredGpuRequirement): string {
  const connected = nvlink && count > 1 ? ', connected' : '';
  const alone = exclusive ? (count > 1 ? ', each of a GPU of its own' : ' with nothing else on it') : '';
  return `${plural(count, 'gpu')} on one host${connected}${alone}, each with all of it`;
}

function together(gpu: StoredGpuRequirement): Constraint {
  const fitOf = ofLastShape((shape) => fitDevices(gpu, shape));
  return {
    about: 'devices',
    text: togetherText(gpu),
    devicesThatPass(profile) {
      const shape = profile.devices();
      const serving = new Set(fitOf(shape)?.positions);
      return shape.facts.map((_facts, position) => serving.has(position));
    },
    refusal(profile) {
      const shape = profile.devices();
      return fitOf(shape) ? undefined : tooFew(gpu, shape);
    },
  };
}

/** Why no set of its devices is enough. */
function tooFew(gpu: StoredGpuRequirement, shape: DeviceShape): string {
  const verdicts = verdictsByKind(shape, (facts) => deviceVerdict(gpu, facts));
  const passing = verdicts.filter(({ kind }) => kind !== 'NO').length;
  if (passing === 0) return 'no device has all of it';
  const have = `${passing} ${passing === 1 ? 'device has' : 'devices have'} all of it`;
  if (passing < gpu.count) return have;
  return `${have}, not ${gpu.count} ${gpu.nvlink ? 'connected with one another' : 'of a GPU each'}`;
}
