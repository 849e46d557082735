/** Settings of the executor. */
import { z } from 'zod';

/** Beginning of the variables that replace settings of the file. */
export const variablePrefix = 'RHIZOME_EXECUTOR_';

const seconds = (least: number, most: number) => z.int().min(least).max(most);
const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'expected 1 to 63 letters, digits, ".", "_" or "-"');
const furtherArguments = z.array(z.string().min(1)).max(100).default([]);
const path = z.string().startsWith('/', 'expected an absolute path');

const slurm = z.strictObject({
  kind: z.literal('slurm'),
  partition: name.optional(),
  account: name.optional(),
  qos: name.optional(),
  arguments: furtherArguments,
  logFolder: path.optional(),
  commandSeconds: seconds(1, 600).default(60),
});
const local = z.strictObject({
  kind: z.literal('local'),
  folder: path,
  commandSeconds: seconds(1, 600).default(30),
});
const ssh = z.strictObject({
  kind: z.literal('ssh'),
  host: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.@_-]{0,254}$/, 'expected a host, or user@host'),
  port: z.int().min(1).max(65_535).default(22),
  keyFile: path.optional(),
  knownHostsFile: path.optional(),
  folder: path,
  arguments: furtherArguments,
  commandSeconds: seconds(1, 600).default(60),
});

const gpus = z.strictObject({
  count: z.int().min(1).max(256),
  /** Name of the type in the batch system. */
  type: name.optional(),
  vendor: z.enum(['NVIDIA', 'AMD', 'INTEL']),
  model: z.string().min(1).max(128),
  memoryMiB: z.int().min(1).optional(),
  computeCapability: z.string().optional(),
  driverVersion: z.string().optional(),
  cudaVersion: z.string().optional(),
  gfxTarget: z.string().optional(),
  rocmVersion: z.string().optional(),
});

const shape = z.strictObject({
  name,
  cores: z.int().min(1).max(4096),
  memoryMiB: z.int().min(1).max(16_777_216),
  diskMiB: z.int().min(0).max(1_073_741_824),
  /** Memory of the batch job for the pilot itself. */
  pilotMemoryMiB: z.int().min(0).max(1_048_576).default(512),
  architecture: z.string().min(1).default('x86_64'),
  architectureLevel: z.string().min(1).optional(),
  containerRuntimes: z.array(z.string().min(1)).max(32).default([]),
  isolation: z
    .array(z.enum(['NAMESPACES', 'APPTAINER', 'PODMAN']))
    .max(8)
    .default([]),
  hasNetwork: z.boolean().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  gpus: gpus.optional(),
  walltimeSeconds: seconds(120, 30 * 86_400),
  arguments: furtherArguments,
});

const limits = z.strictObject({
  open: z.int().min(1).max(100_000).default(100),
  pending: z.int().min(1).max(100_000).default(20),
  held: z.int().min(1).max(100_000).default(10),
  perCycle: z.int().min(1).max(1000).default(20),
  perMinute: z.int().min(1).max(10_000).default(60),
  perClass: z.int().min(1).max(100_000).default(100_000),
  perExperiment: z.record(z.string(), z.int().min(0).max(100_000)).default({}),
});

const queue = z.strictObject({
  queue: name,
  provider: z.discriminatedUnion('kind', [slurm, local, ssh]),
  /** Experiments whose jobs the pilots run; `*` for all. */
  experiments: z.array(z.string().min(1)).min(1).max(1000),
  shapes: z.array(shape).min(1).max(20),
  limits: limits.prefault({}),
  pilot: z
    .strictObject({
      command: z.array(z.string().min(1)).min(1).max(20).default(['rhizome-pilot']),
      arguments: furtherArguments,
      idleSeconds: seconds(1, 86_400).default(300),
      drainSeconds: seconds(0, 86_400).default(120),
      /** Time within which a pilot must have enrolled. */
      codeSeconds: seconds(600, 604_800).default(86_400),
    })
    .prefault({}),
  isDraining: z.boolean().default(false),
  submitSeconds: seconds(5, 86_400).default(120),
  unknownSeconds: seconds(5, 86_400).default(600),
  heldSeconds: seconds(0, 86_400).default(600),
});

/** Settings, as in the file. */
export const settingsSchema = z.object({
  name: name.describe('name of the executor, which its pilots show'),
  url: z.url({ protocol: /^https?$/ }).describe('URL of the gateway, such as https://host/graphql'),
  insecureTransport: z.boolean().default(false).describe('permits an http: URL of another host'),
  tokenFile: z.string().min(1).describe('file with the token; read again before each request'),
  cycleSeconds: z.number().min(1).max(3600).default(30).describe('time from one cycle to the next'),
  logLevel: z
    .enum(['error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('level of the log'),
  queues: z
    .array(queue)
    .min(1)
    .max(100)
    .refine(
      (queues) => new Set(queues.map((one) => one.queue)).size === queues.length,
      'expected each queue once',
    )
    .describe('queues, and how their pilots are started'),
});

/** Values of the settings. */
export type Settings = z.output<typeof settingsSchema>;

/** Settings of one queue. */
export type QueueSettings = Settings['queues'][number];

/** Settings of one shape. */
export type ShapeSettings = QueueSettings['shapes'][number];
