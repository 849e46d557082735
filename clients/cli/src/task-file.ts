/** YAML file of one task for `submit -f`. All errors are reported together. */
import { z } from 'zod';
import { gpuSection } from './flags/gpu-requirement.js';
import type { SubmitTaskInput, TaskDatasetInput } from './operations.generated.js';
import { noticeSignals, onDisconnects } from './states.js';
import { readYamlFile } from './files/yaml-file.js';

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const texts = z.array(scalar);
const keyed = z.record(z.string(), scalar);

const scoutRule = z.strictObject({ percentile: z.int().optional(), factor: z.number().optional() });

const taskFile = z
  .strictObject({
    experiment: z.string(),
    name: z.string(),
    count: z.int().min(1).max(1_000_000).optional(),
    /** One job for each entry; `{{name}}` is replaced by its value. */
    parameters: z.array(keyed).min(1).optional(),
    /** Jobs for the files of a closed dataset. */
    dataset: z
      .strictObject({
        id: z.string(),
        by: z.enum(['FILES', 'EVENTS', 'BYTES', 'KEY']).optional(),
        perJob: z.int().optional(),
        maxJobs: z.int().optional(),
        localityWeight: z.int().optional(),
      })
      .optional(),
    command: z.string(),
    arguments: texts.default([]),
    environment: keyed.default({}),
    image: z.string().optional(),
    secrets: z
      .array(
        z.strictObject({
          name: z.string(),
          scope: z.enum(['USER', 'EXPERIMENT']).default('USER'),
          as: z.enum(['FILE', 'VARIABLE']).default('FILE'),
          target: z.string().optional(),
        }),
      )
      .default([]),
    isTokenRequired: z.boolean().default(false),
    notice: z
      .strictObject({
        seconds: z.int(),
        signal: z.enum(noticeSignals).optional(),
        checkpointExitCode: z.int().optional(),
      })
      .optional(),
    inputs: z
      .array(
        z.strictObject({
          name: z.string(),
          location: z.string(),
          otherLocations: z.array(z.string()).optional(),
          sizeBytes: z.int().optional(),
          checksums: z
            .array(z.strictObject({ kind: z.enum(['SHA256', 'MD5', 'ADLER32']), value: z.string() }))
            .optional(),
        }),
      )
      .default([]),
    outputs: z.array(z.string()).default([]),
    outputDatasets: keyed.default({}),
    keepOnFailure: z.array(z.string()).optional(),
    share: z.string().optional(),
    priority: z.int().optional(),
    labels: keyed.default({}),
    requirements: z
      .strictObject({
        cores: z.int().optional(),
        memoryMiB: z.int().optional(),
        diskMiB: z.int().optional(),
        walltimeSeconds: z.int().optional(),
        architecture: z.string().optional(),
        architectureLevel: z.string().optional(),
        containerRuntime: z.string().optional(),
        isNetworkRequired: z.boolean().optional(),
        isPreemptible: z.boolean().optional(),
        gpu: gpuSection.optional(),
        queue: z.string().optional(),
        selector: z.string().optional(),
        preferences: z
          .array(z.strictObject({ expression: z.string(), weight: z.int().optional() }))
          .optional(),
      })
      .default({}),
    retry: z
      .strictObject({
        maxAttempts: z.int().optional(),
        backoffSeconds: z.int().optional(),
        backoffFactor: z.number().optional(),
        memoryFactor: z.number().optional(),
        maxMemoryMiB: z.int().optional(),
      })
      .optional(),
    continuity: z
      .strictObject({
        onDisconnect: z.enum(onDisconnects).optional(),
        continueSeconds: z.int().optional(),
        reassignAfterSeconds: z.int().optional(),
      })
      .optional(),
    dependsOn: z.array(z.string()).default([]),
    maxRunningJobs: z.int().optional(),
    failureLimit: z
      .strictObject({
        maxFailedJobs: z.int().optional(),
        maxFailedFraction: z.number().optional(),
        minEndedJobs: z.int().optional(),
        action: z.enum(['PAUSE', 'FINISH', 'ABORT']).optional(),
      })
      .optional(),
    /** Jobs that run first; the amounts of the others follow from their use. `null` leaves an amount. */
    scouts: z
      .strictObject({
        count: z.int().optional(),
        maxFailedFraction: z.number().optional(),
        memory: scoutRule.nullable().optional(),
        walltime: scoutRule.nullable().optional(),
        disk: scoutRule.nullable().optional(),
      })
      .optional(),
  })
  .refine((file) => [file.count, file.parameters, file.dataset].filter(Boolean).length === 1, {
    message: 'give one of count, parameters and dataset',
  });

/**
 * Reads the file.
 * @throws CliError that lists every error with its path
 */
export function readTaskFile(path: string, cwd: string): Omit<SubmitTaskInput, 'idempotencyKey'> {
  const file = readYamlFile(path, cwd, taskFile, 'task');
  const { count, parameters, dataset, experiment, name, share, priority, retry, continuity, ...rest } = file;
  const { scouts, failureLimit, maxRunningJobs, ...job } = rest;
  const pairs = (record: Readonly<Record<string, string>>) => Object.entries(record);
  const set = (values: Readonly<Record<string, string>>) => ({
    parameters: pairs(values).map(([key, value]) => ({ name: key, value })),
  });
  return {
    experiment,
    name,
    ...(scouts === undefined ? {} : { scouts }),
    ...(failureLimit === undefined ? {} : { failureLimit }),
    ...(maxRunningJobs === undefined ? {} : { maxRunningJobs }),
    jobs: dataset
      ? { dataset: inputOf(dataset) }
      : parameters
        ? { parameterSets: parameters.map(set) }
        : { count: count ?? 1 },
    template: {
      name,
      labels: pairs(job.labels).map(([key, value]) => ({ key, value })),
      requirements: job.requirements,
      payload: {
        command: job.command,
        arguments: job.arguments,
        environment: pairs(job.environment).map(([key, value]) => ({ name: key, value })),
        inputs: job.inputs,
        outputs: job.outputs,
        outputDatasets: pairs(job.outputDatasets).map(([output, datasetId]) => ({ output, datasetId })),
        ...(job.keepOnFailure && { keepOnFailure: job.keepOnFailure }),
        secrets: job.secrets.map(({ target, ...secret }) => ({ ...secret, target: target ?? null })),
        isTokenRequired: job.isTokenRequired,
        ...(job.image === undefined ? {} : { image: job.image }),
        ...(job.notice === undefined ? {} : { notice: job.notice }),
      },
      dependsOn: job.dependsOn,
      ...(share === undefined ? {} : { share }),
      ...(priority === undefined ? {} : { priority }),
      ...(retry === undefined ? {} : { retry }),
      ...(continuity === undefined ? {} : { continuity }),
    },
  };
}

function inputOf({ id, ...split }: NonNullable<z.infer<typeof taskFile>['dataset']>): TaskDatasetInput {
  return { datasetId: id, ...split };
}
