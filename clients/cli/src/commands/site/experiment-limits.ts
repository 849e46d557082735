/** Flag for the limits of experiments on a queue. */
import { InvalidArgumentError } from 'commander';
import type { CliQueueDetailsFragment, QueueExperimentLimitsInput } from '../../operations.generated.js';

const fields = { jobs: 'maxRunningJobs', cores: 'maxCores', gpus: 'maxGpus' } as const;

const form = 'Must be EXPERIMENT:jobs=N,cores=N,gpus=N with at least one limit, or EXPERIMENT:none.';

/** A parser of a repeated `alpha:jobs=100,cores=400`, or `alpha:none`. */
export function collectExperimentLimits(
  text: string,
  before: readonly QueueExperimentLimitsInput[],
): readonly QueueExperimentLimitsInput[] {
  const at = text.indexOf(':');
  if (at <= 0) throw new InvalidArgumentError(form);
  const [experiment, limits] = [text.slice(0, at), text.slice(at + 1)];
  return [...before, { experiment, ...(limits === 'none' ? {} : limitsOf(limits)) }];
}

function limitsOf(text: string): Omit<QueueExperimentLimitsInput, 'experiment'> {
  const entries = text.split(',').map((one) => {
    const [, name, count] = /^(jobs|cores|gpus)=(\d{1,9})$/.exec(one) ?? [];
    if (name === undefined) throw new InvalidArgumentError(form);
    return [fields[name as keyof typeof fields], Number(count)] as const;
  });
  if (new Set(entries.map(([name]) => name)).size < entries.length) throw new InvalidArgumentError(form);
  return Object.fromEntries(entries);
}

/** Fields of a queue's output. */
export function experimentLimitFields({
  experimentLimits,
}: Pick<CliQueueDetailsFragment, 'experimentLimits'>): readonly (readonly [string, string])[] {
  return experimentLimits.map(({ experiment: { name }, ...limits }) => {
    const set = Object.entries(fields).flatMap(([label, field]) =>
      limits[field] === null ? [] : [`${limits[field]} ${label}`],
    );
    return [`max for ${name}`, set.join(', ')];
  });
}
