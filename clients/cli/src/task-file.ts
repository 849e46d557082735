/** YAML file of one task for `submit -f`. All errors are reported together. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { CliError, exitCodes } from './exit-codes.js';
import { gpuSection } from './gpu-requirement.js';
import type { SubmitTaskInput } from './operations.generated.js';

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const texts = z.array(scalar);
const keyed = z.record(z.string(), scalar);

const taskFile = z
  .strictObject({
    experiment: z.string(),
    name: z.string(),
    count: z.int().min(1).max(1_000_000).optional(),
    /** One job for each entry; `{{name}}` is replaced by its value. */
    parameters: z.array(keyed).min(1).optional(),
    command: z.string(),
    arguments: texts.default([]),
    environment: keyed.default({}),
    image: z.string().optional(),
    inputs: z.array(z.strictObject({ name: z.string(), location: z.string() })).default([]),
    outputs: z.array(z.string()).default([]),
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
        network: z.boolean().optional(),
        gpu: gpuSection.optional(),
        queue: z.string().optional(),
        selector: z.string().optional(),
      })
      .default({}),
    retry: z
      .strictObject({
        maxAttempts: z.int().optional(),
        backoffSeconds: z.int().optional(),
        backoffFactor: z.number().optional(),
      })
      .optional(),
    dependsOn: z.array(z.string()).default([]),
  })
  .refine(({ count, parameters }) => (count === undefined) !== (parameters === undefined), {
    message: 'give either count or parameters',
  });

/**
 * Reads the file.
 * @throws CliError that lists every error with its path
 */
export function readTaskFile(path: string, cwd: string): Omit<SubmitTaskInput, 'idempotencyKey'> {
  const { count, parameters, experiment, name, share, priority, retry, ...job } = parseFile(path, cwd);
  const pairs = (record: Readonly<Record<string, string>>) => Object.entries(record);
  const set = (values: Readonly<Record<string, string>>) => ({
    parameters: pairs(values).map(([key, value]) => ({ name: key, value })),
  });
  return {
    experiment,
    name,
    ...(parameters ? { parameterSets: parameters.map(set) } : { count: count ?? 1 }),
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
        ...(job.image === undefined ? {} : { image: job.image }),
      },
      dependsOn: job.dependsOn,
      ...(share === undefined ? {} : { share }),
      ...(priority === undefined ? {} : { priority }),
      ...(retry === undefined ? {} : { retry }),
    },
  };
}

function parseFile(path: string, cwd: string): z.infer<typeof taskFile> {
  const document = readYaml(path, cwd);
  const result = taskFile.safeParse(document);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `  ${faultOf(issue, document)}`);
  throw new CliError(exitCodes.usage, `${path} is not a valid task:\n${faults.join('\n')}`);
}

function readYaml(path: string, cwd: string): unknown {
  let text: string;
  try {
    text = readFileSync(resolve(cwd, path), 'utf8');
  } catch (error) {
    throw new CliError(
      exitCodes.usage,
      `${path} cannot be read: ${(error as Error).message.replace(/, open .*/, '')}`,
    );
  }
  try {
    return parse(text);
  } catch (error) {
    const [fault = ''] = (error as Error).message.split('\n');
    throw new CliError(exitCodes.usage, `${path} is not YAML: ${fault.replace(/:$/, '')}`);
  }
}

/** An error with its path, the value, and what would be valid. */
function faultOf(issue: z.core.$ZodIssue, document: unknown): string {
  const place = issue.path.join('.');
  const expected = issue.message.replace(/^Invalid (input|option): /, '').replace(/, received \w+$/, '');
  if (issue.code === 'unrecognized_keys') return `${place || 'the whole'}: ${expected.toLowerCase()}`;
  const value = issue.path.reduce<unknown>(
    (at, part) =>
      typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[part] : undefined,
    document,
  );
  if (place === '') return `the whole: ${expected}`;
  return value === undefined
    ? `${place} is missing; ${expected}`
    : `${place} is ${JSON.stringify(value)}; ${expected}`;
}
