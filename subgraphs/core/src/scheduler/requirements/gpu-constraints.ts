/** Device requirements of a job as constraints, for explaining why it waits. */
import { deviceChecks } from '../../gpus/verdict/device-checks.js';
import { matchDevices } from '../../gpus/verdict/device-match.js';
import type { DeviceSet } from '../../gpus/capacity/device-set.js';
import { deviceVerdict } from '../../gpus/verdict/device-verdict.js';
import type { Device, Verdict } from '../../gpus/verdict/verdict.types.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { plural } from '../../shared/plural.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { Constraint } from './constraint.types.js';

/**
 * Constraints on devices: each part separately, then all together on one host. Optional GPUs are no
 * constraint.
 */
export function gpuConstraints({ gpu }: StoredRequirements): readonly Constraint[] {
  if (gpu === undefined || gpu.optional) return [];
  const each = deviceChecks.flatMap((check): Constraint[] => {
    const text = check.text(gpu);
    if (text === undefined) return [];
    const verdictsOf = ofLastSet((set) => verdictsByKind(set, (facts) => check.check(gpu, facts)));
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

/** Verdicts for each kind of device. */
function verdictsByKind(
  { facts, kinds }: DeviceSet,
  verdictOn: (facts: Device) => Verdict,
): readonly Verdict[] {
  const known: Verdict[] = [];
  return facts.map((one, position) => (known[kinds[position] ?? 0] ??= verdictOn(one)));
}

/** Caches the result for the last set, because it is requested several times in a row. */
function ofLastSet<T>(reckon: (set: DeviceSet) => T): (set: DeviceSet) => T {
  let last: { readonly set: DeviceSet; readonly value: T } | undefined;
  return (set) => {
    if (last?.set !== set) last = { set, value: reckon(set) };
    return last.value;
  };
}

/** Text of the requirements for all devices of one host. */
export function togetherText({ count, nvlink, exclusive }: StoredGpuRequirement): string {
  const connected = nvlink && count > 1 ? ', connected' : '';
  const alone = exclusive ? (count > 1 ? ', each on a separate GPU' : ', exclusive') : '';
  return `${plural(count, 'gpu')} on one host${connected}${alone}, each meeting all gpu constraints`;
}

function together(gpu: StoredGpuRequirement): Constraint {
  const matchOf = ofLastSet((set) => matchDevices(gpu, set));
  return {
    about: 'devices',
    text: togetherText(gpu),
    devicesThatPass(profile) {
      const set = profile.devices();
      const serving = new Set(matchOf(set)?.positions);
      return set.facts.map((_facts, position) => serving.has(position));
    },
    refusal(profile) {
      const set = profile.devices();
      return matchOf(set) ? undefined : tooFew(gpu, set);
    },
  };
}

/** Reason why no set of its devices is sufficient. */
function tooFew(gpu: StoredGpuRequirement, set: DeviceSet): string {
  const verdicts = verdictsByKind(set, (facts) => deviceVerdict(gpu, facts));
  const passing = verdicts.filter(({ kind }) => kind !== 'NO').length;
  if (passing === 0) return 'no device meets all gpu constraints';
  const have = `${passing} ${passing === 1 ? 'device meets' : 'devices meet'} all gpu constraints`;
  if (passing < gpu.count) return have;
  return `${have}, but not ${gpu.nvlink ? `${gpu.count} connected ones` : `on ${gpu.count} separate GPUs`}`;
}
