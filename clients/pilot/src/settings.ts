/** The settings of the pilot: their names, their values and what the help says about them. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AllowedNetworks } from '@rhizome/storage';
import { z } from 'zod';
import { schemeOf } from './files/file-store.js';
import { isolationModes } from './isolation/payload-isolation.js';

/** Beginning of the variables of the settings. */
export const variablePrefix = 'RHIZOME_PILOT_';

function isNetwork(entry: string): boolean {
  try {
    return Boolean(new AllowedNetworks([entry]));
  } catch {
    return false;
  }
}

/** Every setting, as an option of the command line and as a variable RHIZOME_PILOT_…; the option wins. */
export const settingsSchema = z.object({
  url: z.url({ protocol: /^https?$/ }).describe('URL of the gateway, such as http://host:4000/graphql'),
  insecureTransport: z
    .boolean()
    .default(false)
    .describe('permits an http: URL of another host: true or false'),
  tokenFile: z.string().min(1).describe("file with the pilot's token; read again before each request"),
  credentialFile: z
    .string()
    .min(1)
    .optional()
    .describe('file of an enrolment, made by "rhizome-pilot enrol"; replaces url, token file and queue'),
  queue: z.string().min(1).describe('queue to serve'),
  name: z.string().min(1).max(255).optional().describe('name, unique in the queue (default: HOST-N)'),
  scratch: z.string().min(1).default(join(tmpdir(), 'rhizome-pilot')).describe('folder for the payloads'),
  store: z
    .string()
    .min(1)
    .refine(
      (store) => [undefined, 'http', 'https'].includes(schemeOf(store)),
      'expected a path or an http(s) URL',
    )
    .optional()
    .describe('shared file store: a path or an http(s) URL (default: SCRATCH/store)'),
  useStorages: z
    .boolean()
    .optional()
    .describe(
      'whether outputs go to the storage that core has for the queue, where it has one: true or false (default: true without a store)',
    ),
  storeTokenFile: z
    .string()
    .min(1)
    .optional()
    .describe('file with the bearer token of a store by URL; read again before each transfer'),
  allowNetwork: z
    .array(z.string().refine(isNetwork, 'expected a network such as 10.0.0.0/8, an address or a host name'))
    .max(64)
    .default([])
    .describe(
      'private network (10.1.0.0/16), address or host from which files of jobs may be fetched, and where they may be stored; may be repeated. Public addresses are allowed, those of metadata services never',
    ),
  transfersPerStorage: z
    .int()
    .min(1)
    .max(10_000)
    .default(32)
    .describe('most transfers of files with one storage at once, of all jobs of the pilot'),
  cacheMib: z
    .int()
    .min(0)
    .max(1_073_741_824)
    .default(0)
    .describe('space for inputs that later jobs read again, in MiB; 0 for none'),
  cacheFolder: z
    .string()
    .min(1)
    .optional()
    .describe(
      'folder for these inputs, which pilots of the host and user share (default: SCRATCH/input-cache)',
    ),
  cores: z.int().min(1).max(4096).optional().describe('cores to offer (default: all)'),
  memoryMib: z.int().min(1).max(16_777_216).optional().describe('memory to offer, in MiB (default: all)'),
  diskMib: z
    .int()
    .min(0)
    .max(1_073_741_824)
    .optional()
    .describe('scratch space to offer, in MiB (default: the free space)'),
  label: z
    .array(z.string().regex(/^[^=]+=/, 'expected KEY=VALUE'))
    .max(64)
    .default([])
    .describe('label as KEY=VALUE; may be repeated'),
  gpuSimulate: z
    .string()
    .min(1)
    .optional()
    .describe('JSON file with simulated devices that replace those of the host; see docs/reference/gpus.md'),
  gpuPollSeconds: z
    .number()
    .min(0.1)
    .max(3600)
    .default(10)
    .describe('time between two probes of the devices'),
  gpuToolSeconds: z
    .number()
    .min(1)
    .max(300)
    .default(15)
    .describe("time limit for one call of a vendor's tool; longer if drivers are not kept loaded"),
  network: z
    .boolean()
    .optional()
    .describe('whether payloads reach the outside network: true or false (default: unknown)'),
  isolation: z
    .enum(isolationModes)
    .default('auto')
    .describe('isolation of payloads: auto (where this host allows it), required or none'),
  networkIsolation: z
    .boolean()
    .default(false)
    .describe('whether payloads that do not require the network get none: true or false'),
  systemCallFilter: z
    .boolean()
    .default(true)
    .describe(
      'whether isolated payloads without an image are denied the system calls that containers deny: true or false',
    ),
  readableFolder: z
    .array(z.string().startsWith('/', 'expected an absolute path'))
    .max(64)
    .default([])
    .describe('folder that isolated payloads may read, in addition to the operating system; may be repeated'),
  writableFolder: z
    .array(z.string().regex(/^\/[^:,]*$/, 'expected an absolute path without ":" and ","'))
    .max(64)
    .default([])
    .describe(
      'folder that all payloads may read and write, such as one that workers share; may be repeated. Payloads of all users see and can change its files',
    ),
  maxProcesses: z
    .int()
    .min(16)
    .max(1_000_000)
    .default(8192)
    .describe('most processes and threads of one payload'),
  maxOpenFiles: z
    .int()
    .min(64)
    .max(1_048_576)
    .optional()
    .describe("most open files of one process of a payload (default: the pilot's own limit, at most 65536)"),
  batchJobId: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('id of the batch job that runs the pilot (default: that of Slurm, HTCondor, PBS or the pod)'),
  lifetimeSeconds: z
    .int()
    .min(1)
    .optional()
    .describe('time until the pilot must have ended (default: no limit)'),
  idleSeconds: z
    .int()
    .min(1)
    .optional()
    .describe('time without a job after which the pilot drains (default: no limit)'),
  drainSeconds: z.int().min(0).optional().describe('time for jobs to end after SIGTERM (default: no limit)'),
  graceSeconds: z
    .number()
    .min(0)
    .max(600)
    .default(5)
    .describe('time between SIGTERM and SIGKILL of a payload'),
  endWithPilot: z
    .boolean()
    .default(false)
    .describe(
      'whether payloads end when the pilot is killed: true or false (then the next pilot continues them)',
    ),
  logLimitKib: z
    .int()
    .min(1)
    .max(1_048_576)
    .default(4096)
    .describe('size of the beginning of each output stream that is kept'),
  spoolMib: z
    .int()
    .min(1)
    .max(1_048_576)
    .default(1024)
    .describe(
      'scratch space for reports while core cannot be reached, in MiB; when it is full, logs are shortened',
    ),
  logLevel: z
    .enum(['error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe("level of the pilot's own log"),
});

/** Settings of a pilot that is enrolled. */
export const enrolledSchema = settingsSchema.extend({ tokenFile: z.string().optional() });

/** Values of the settings. */
export type Settings = z.infer<typeof settingsSchema>;
