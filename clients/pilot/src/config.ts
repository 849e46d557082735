import { assertSecureAddress } from '@rhizome/client';
import { environmentName, loadConfig } from '@rhizome/config';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { LogLevel } from '@rhizome/log';
import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { z } from 'zod';
import type { PilotOptions } from './agent/pilot.js';
import { type Credential, readCredential } from './credential/credential-file.js';
import { schemeOf } from './files/file-store.js';
import { openFilesLimit } from './hardware/limits.js';
import { batchJobIn } from './hardware/batch-job.js';
import { driverLibraries } from './hardware/gpus/driver-libraries.js';
import { visibilityIn, type VisibilityLists } from './hardware/gpus/offered-devices.js';
import { toolEnvironment } from './hardware/gpus/tool-runner.js';
import { isolationModes } from './isolation/payload-isolation.js';
import { pilotVersion } from './version.js';

const variablePrefix = 'RHIZOME_PILOT_';

const runtimeVariables = [
  ...['HOME', 'USER', 'LOGNAME', 'XDG_RUNTIME_DIR', 'XDG_DATA_HOME', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME'],
  ...['APPTAINER_CACHEDIR', 'APPTAINER_TMPDIR', 'SINGULARITY_CACHEDIR', 'SINGULARITY_TMPDIR'],
  ...['CONTAINERS_CONF', 'CONTAINERS_STORAGE_CONF', 'CONTAINERS_REGISTRIES_CONF'],
];

/** Every setting, as an option of the command line and as a variable RHIZOME_PILOT_…; the option wins. */
const schema = z.object({
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
  storeTokenFile: z
    .string()
    .min(1)
    .optional()
    .describe('file with the bearer token of a store by URL; read again before each transfer'),
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
  readableFolder: z
    .array(z.string().startsWith('/', 'expected an absolute path'))
    .max(64)
    .default([])
    .describe('folder that isolated payloads may read, in addition to the operating system; may be repeated'),
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
  drainSeconds: z.int().min(0).optional().describe('time for jobs to end after SIGTERM (default: no limit)'),
  graceSeconds: z
    .number()
    .min(0)
    .max(600)
    .default(5)
    .describe('time between SIGTERM and SIGKILL of a payload'),
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
const enrolledSchema = schema.extend({ tokenFile: z.string().optional() });

type Settings = z.infer<typeof schema>;

/** The enrolment that the settings name; undefined without one. @throws DomainError CONFIG_INVALID */
function credentialOf(given: NodeJS.ProcessEnv): PilotConfig['credential'] {
  const file = given[environmentName(variablePrefix, ['credentialFile'])];
  if (file === undefined || file === '') return undefined;
  const credential = readCredential(file);
  const { enrolmentId } = credential;
  if (enrolmentId !== null) return { ...credential, enrolmentId };
  const text = `Credential file ${file} is not enrolled; run "rhizome-pilot enrol" again`;
  throw new DomainError('CONFIG_INVALID', text, { field: 'credentialFile', value: file });
}

/** An enrolled pilot uses no token of a queue, even if the environment names one. */
function withoutTokens(given: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...given, [environmentName(variablePrefix, ['tokenFile'])]: undefined };
}

/** Gateway and queue of an enrolment, as variables. */
function placeOf({ url, queue }: Credential): Record<string, string> {
  return {
    [environmentName(variablePrefix, ['url'])]: url,
    [environmentName(variablePrefix, ['queue'])]: queue,
  };
}

/** Configuration of the program. */
export interface PilotConfig {
  readonly url: string;
  /** Undefined for a pilot that is enrolled. */
  readonly tokenFile: string | undefined;
  /** The enrolment; undefined for a pilot with the token of a queue. */
  readonly credential: (Credential & { readonly enrolmentId: string }) | undefined;
  readonly logLevel: LogLevel;
  /** The name is undefined if none was given. */
  readonly pilot: Omit<PilotOptions, 'name'> & { readonly name: string | undefined };
}

/**
 * Reads the command line and the environment.
 * @throws DomainError CONFIG_INVALID that lists all errors, by option or variable
 */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): PilotConfig {
  const options = readOptions(argv);
  const fromOptions = Object.fromEntries(
    Object.entries(options).map(([key, value]) => [environmentName(variablePrefix, [key]), textOf(value)]),
  );
  try {
    const given = { ...env, ...fromOptions };
    const credential = credentialOf(given);
    const settings = loadConfig({
      schema: credential ? enrolledSchema : schema,
      env: credential ? { ...withoutTokens(given), ...placeOf(credential) } : given,
      prefix: variablePrefix,
    });
    assertSecure(settings);
    if (settings.storeTokenFile !== undefined) assertStoreTakesToken(settings);
    const { tokenFile } = settings;
    if (tokenFile !== undefined) readToken(tokenFile);
    const searchPath = payloadPath(env['PATH']);
    const { url, logLevel } = settings;
    const world = {
      searchPath,
      batchJobId: batchJobIn(env),
      visible: visibilityIn(env),
      tools: toolEnvironment(env),
      libraries: driverLibraries(env),
      runtimeEnvironment: runtimeEnvironment(env),
    };
    return { url, tokenFile, credential, logLevel, pilot: pilotOptions(settings as Settings, world) };
  } catch (error) {
    throw byOption(error, Object.keys(options));
  }
}

/** The token must not cross a network in plain text. @throws DomainError CONFIG_INVALID */
function assertSecure(
  { url, insecureTransport }: Pick<Settings, 'url' | 'insecureTransport'>,
  field = 'url',
): void {
  assertSecureAddress(url, { isPermitted: insecureTransport, permission: 'insecureTransport', field });
}

/** Checks that the token of a store has a store by URL. @throws DomainError CONFIG_INVALID */
function assertStoreTakesToken(
  settings: Pick<Settings, 'store' | 'storeTokenFile' | 'insecureTransport'>,
): void {
  const { store, storeTokenFile = '' } = settings;
  if (store !== undefined && schemeOf(store) !== undefined) {
    assertSecure({ url: store, insecureTransport: settings.insecureTransport }, 'store');
    return void readToken(storeTokenFile);
  }
  const text = `storeTokenFile: ${storeTokenFile} has no use; set store to an https URL, or leave it out`;
  throw new DomainError('CONFIG_INVALID', text, { field: 'storeTokenFile', value: storeTokenFile });
}

/**
 * The token in a file. The file may be replaced at any time.
 * @throws DomainError CONFIG_INVALID if there is no token
 */
export function readToken(path: string): string {
  try {
    const token = readFileSync(path, 'utf8').trim();
    if (token !== '') return token;
  } catch (error) {
    throw new DomainError(
      'CONFIG_INVALID',
      `Token file ${path} cannot be read: ${(error as Error).message}`,
      { value: path },
      { cause: error },
    );
  }
  throw new DomainError('CONFIG_INVALID', `Token file ${path} is empty; must contain a token`, {
    value: path,
  });
}

/** Facts about the process that are not settings. */
interface World {
  readonly searchPath: string;
  readonly runtimeEnvironment: Readonly<Record<string, string>>;
  readonly batchJobId: string | undefined;
  readonly visible: VisibilityLists;
  readonly tools: Readonly<Record<string, string>>;
  readonly libraries: readonly string[];
}

/**
 * The pilot's own PATH, without the folders that npm and npx put in front of it: they belong to no payload.
 */
function payloadPath(own: string | undefined): string {
  const folders = (own ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '' && !/\/node_modules\//.test(`${folder}/`));
  return folders.length === 0 ? '/usr/local/bin:/usr/bin:/bin' : folders.join(delimiter);
}

/**
 * Variables of the pilot that container runtimes need. Registry passwords belong in files, not in variables.
 */
function runtimeEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    runtimeVariables.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/** Reads the token of the store for each transfer; undefined without one. */
function storeTokenOf({ storeTokenFile: file }: Settings): (() => string) | undefined {
  return file === undefined ? undefined : () => readToken(file);
}

function pilotOptions(
  settings: Settings,
  { searchPath, batchJobId, visible, tools, libraries, runtimeEnvironment }: World,
): PilotConfig['pilot'] {
  const scratch = resolve(settings.scratch);
  const store = settings.store ?? join(scratch, 'store');
  return {
    queue: settings.queue,
    name: settings.name,
    labels: settings.label.map((label) => {
      const equals = label.indexOf('=');
      return { key: label.slice(0, equals), value: label.slice(equals + 1) };
    }),
    host: {
      scratch,
      searchPath,
      driverLibraries: libraries,
      runtimeEnvironment,
      cores: settings.cores,
      memoryMiB: settings.memoryMib,
      diskMiB: settings.diskMib,
      network: settings.network,
    },
    isolation: {
      mode: settings.isolation,
      readable: settings.readableFolder,
      isolatesNetwork: settings.networkIsolation,
      limits: {
        processes: settings.maxProcesses,
        openFiles: Math.min(settings.maxOpenFiles ?? 65_536, openFilesLimit()),
      },
    },
    gpus: {
      simulate: settings.gpuSimulate,
      visible,
      toolEnvironment: tools,
      timeoutMs: settings.gpuToolSeconds * 1000,
      periodMs: settings.gpuPollSeconds * 1000,
    },
    store,
    storeToken: storeTokenOf(settings),
    batchJobId: settings.batchJobId ?? batchJobId,
    lifetimeSeconds: settings.lifetimeSeconds ?? null,
    drainSeconds: settings.drainSeconds ?? null,
    graceSeconds: settings.graceSeconds,
    captureLimits: { head: settings.logLimitKib * 1024, tail: 64 * 1024, buffer: 1024 * 1024 },
    spoolMiB: settings.spoolMib,
    sampleMs: 1000,
    longestIdlePauseMs: 2000,
    version: pilotVersion,
  };
}

/** Options as texts, in the form of variables, so that one schema validates both. */
function readOptions(argv: readonly string[]): Record<string, string | string[]> {
  const command = new Command('rhizome-pilot')
    .description(
      'Runs jobs of a queue on this host. Each option can also be set as a variable RHIZOME_PILOT_….',
    )
    .version(pilotVersion);
  for (const [key, { description }] of Object.entries(schema.shape)) {
    const flag = `--${flagOf(key)} <value>`;
    if (repeatable.has(key))
      command.option(flag, description ?? '', (value, before: string[] = []) => [...before, value]);
    else command.option(flag, description ?? '');
  }
  return command.parse([...argv]).opts();
}

/** Options with lists of values. */
const repeatable: ReadonlySet<string> = new Set(['label', 'readableFolder']);

const flagOf = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function textOf(value: string | readonly string[]): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The error with the name that the user used: the option's if the value came from an option. */
function byOption(error: unknown, used: readonly string[]): unknown {
  if (!isDomainError(error)) return error;
  const message = Object.keys(schema.shape).reduce((text, key) => {
    const variable = environmentName(variablePrefix, [key]);
    const flag = `--${flagOf(key)}`;
    return text.replaceAll(
      new RegExp(`\\b${variable}\\b`, 'g'),
      used.includes(key) ? flag : `${flag} (or ${variable})`,
    );
  }, error.message);
  return new DomainError(error.code, message, error.details, { cause: error });
}
