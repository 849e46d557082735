import { assertSecureAddress } from '@rhizome/client';
import { environmentName, loadConfig } from '@rhizome/config';
import { DomainError } from '@rhizome/errors';
import type { LogLevel } from '@rhizome/log';
import { readFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PilotOptions } from './agent/pilot.js';
import { asVariables, byOption, readOptions } from './command-line.js';
import { type Credential, readCredential } from './credential/credential-file.js';
import { schemeOf } from './files/file-store.js';
import { openFilesLimit } from './hardware/limits.js';
import { assertWritable, type KeptPlace } from './isolation/writable-folders.js';
import { type ProcessFacts, processFacts } from './process-facts.js';
import { enrolledSchema, type Settings, settingsSchema, variablePrefix } from './settings.js';
import { pilotVersion } from './version.js';

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
  try {
    const given = { ...env, ...asVariables(options) };
    const credential = credentialOf(given);
    const settings = loadConfig({
      schema: credential ? enrolledSchema : settingsSchema,
      env: credential ? { ...withoutTokens(given), ...placeOf(credential) } : given,
      prefix: variablePrefix,
    });
    assertSecure(settings);
    if (settings.storeTokenFile !== undefined) assertStoreTakesToken(settings);
    const { tokenFile } = settings;
    if (tokenFile !== undefined) readToken(tokenFile);
    const { url, logLevel } = settings;
    const facts = processFacts(env);
    const pilot = pilotOptions(settings as Settings, facts);
    const kept = keptPlaces(settings as Settings, pilot, facts);
    assertWritable(settings.writableFolder, kept, environmentName(variablePrefix, ['writableFolder']));
    return { url, tokenFile, credential, logLevel, pilot };
  } catch (error) {
    throw byOption(error, options);
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

/** Places that payloads must not change. */
function keptPlaces(
  settings: Settings,
  { host, store }: Pick<PilotOptions, 'host' | 'store'>,
  { searchPath, libraries, runtimeEnvironment }: ProcessFacts,
): readonly KeptPlace[] {
  const { credentialFile, tokenFile, storeTokenFile, gpuSimulate, readableFolder, cacheFolder } = settings;
  const files = [credentialFile, tokenFile, storeTokenFile, gpuSimulate].filter((file) => file !== undefined);
  return [
    { path: host.scratch, what: 'the scratch folder, which has the reports and the sockets of the pilot' },
    ...files.map((path) => ({ path: resolve(path), what: 'a file of the pilot' })),
    ...(schemeOf(store) === undefined ? [{ path: resolve(store), what: 'the file store' }] : []),
    ...(cacheFolder === undefined ? [] : [{ path: resolve(cacheFolder), what: 'the cache of inputs' }]),
    ...[process.execPath, fileURLToPath(import.meta.url)].map((path) => ({
      ...{ path, what: 'a program of the pilot' },
    })),
    ...Object.entries(runtimeEnvironment).map(([name, path]) => ({ path, what: `${name} of the pilot` })),
    ...searchPath.split(delimiter).map((path) => ({ path, what: 'a folder of programs (PATH)' })),
    ...[...readableFolder, ...libraries].map((path) => ({
      ...{ path, what: 'a folder that payloads only read', mayContain: true },
    })),
  ];
}

/** Reads the token of the store for each transfer; undefined without one. */
function storeTokenOf({ storeTokenFile: file }: Settings): (() => string) | undefined {
  return file === undefined ? undefined : () => readToken(file);
}

function pilotOptions(
  settings: Settings,
  { searchPath, batchJobId, visible, tools, libraries, runtimeEnvironment }: ProcessFacts,
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
      writable: settings.writableFolder,
      isolatesNetwork: settings.networkIsolation,
      filtersSystemCalls: settings.systemCallFilter,
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
    allowedNetworks: settings.allowNetwork,
    transfersPerStorage: settings.transfersPerStorage,
    ...(settings.cacheMib > 0 && {
      inputCache: {
        folder: resolve(settings.cacheFolder ?? join(scratch, 'input-cache')),
        limitMiB: settings.cacheMib,
      },
    }),
    usesStorages: settings.useStorages ?? settings.store === undefined,
    storeToken: storeTokenOf(settings),
    batchJobId: settings.batchJobId ?? batchJobId,
    lifetimeSeconds: settings.lifetimeSeconds ?? null,
    drainSeconds: settings.drainSeconds ?? null,
    idleSeconds: settings.idleSeconds ?? null,
    graceSeconds: settings.graceSeconds,
    payloadsEnd: settings.endWithPilot,
    captureLimits: { head: settings.logLimitKib * 1024, tail: 64 * 1024, buffer: 1024 * 1024 },
    spoolMiB: settings.spoolMib,
    sampleMs: 1000,
    longestIdlePauseMs: 2000,
    version: pilotVersion,
  };
}
