/** Conditions of rules: CEL over the failure and its job. */
import { Environment } from '@marcbachmann/cel-js';
import { celCondition, celLimits, type CelCondition } from '../shared/cel/cel-condition.js';
import type { FailureFacts } from './failure.types.js';

const environment = new Environment({ limits: celLimits })
  .registerVariable({
    name: 'failure',
    schema: {
      family: 'string',
      code: 'string',
      message: 'string',
      exitCode: 'int',
      signal: 'string',
      attempt: 'int',
      host: 'string',
      site: 'string',
      queue: 'string',
      peakMemoryMiB: 'int',
      wallSeconds: 'double',
      cpuSeconds: 'double',
    },
  })
  .registerVariable({
    name: 'job',
    schema: {
      experiment: 'string',
      cores: 'int',
      memoryMiB: 'int',
      diskMiB: 'int',
      walltimeSeconds: 'int',
      labels: 'map<string, string>',
    },
  });

/** Checks and compiles a condition. @returns the expected form if it is refused */
export function failureCondition(text: string): CelCondition | { readonly expected: string } {
  return celCondition(environment, text, 'a failure', 'failure.attempt >= 2');
}

/** Values of a failure for conditions; unknown ones are left out, so that no condition on them is met. */
export function conditionView({ job, end, attempt, host, site }: FailureFacts) {
  const { error, exitCode, signal, metrics } = end;
  const { requirements } = job;
  return {
    failure: defined({
      family: error.family,
      code: error.code,
      message: error.message,
      exitCode: whole(exitCode),
      signal,
      attempt: BigInt(attempt),
      host,
      site,
      queue: job.queue,
      peakMemoryMiB: whole(metrics?.peakMemoryMiB),
      wallSeconds: metrics?.wallSeconds,
      cpuSeconds: metrics?.cpuSeconds,
    }),
    job: {
      experiment: job.experiment,
      cores: BigInt(requirements.cores),
      memoryMiB: BigInt(requirements.memoryMiB),
      diskMiB: BigInt(requirements.diskMiB),
      walltimeSeconds: BigInt(requirements.walltimeSeconds),
      labels: new Map(job.labels.map(({ key, value }) => [key, value])),
    },
  };
}

const whole = (value: number | undefined): bigint | undefined =>
  value === undefined ? undefined : BigInt(Math.round(value));

function defined(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
