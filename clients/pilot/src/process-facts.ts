/** Facts that the pilot takes over from the process that started it. */
import { delimiter } from 'node:path';
import { batchJobIn } from './hardware/batch-job.js';
import { driverLibraries } from './hardware/gpus/driver-libraries.js';
import { visibilityIn, type VisibilityLists } from './hardware/gpus/offered-devices.js';
import { toolEnvironment } from './hardware/gpus/tool-runner.js';

/** Facts about the process; they are not settings. */
export interface ProcessFacts {
  readonly searchPath: string;
  readonly runtimeEnvironment: Readonly<Record<string, string>>;
  readonly batchJobId: string | undefined;
  readonly visible: VisibilityLists;
  readonly tools: Readonly<Record<string, string>>;
  readonly libraries: readonly string[];
}

/** The facts in an environment. */
export function processFacts(env: NodeJS.ProcessEnv): ProcessFacts {
  return {
    searchPath: payloadPath(env['PATH']),
    runtimeEnvironment: runtimeEnvironment(env),
    batchJobId: batchJobIn(env),
    visible: visibilityIn(env),
    tools: toolEnvironment(env),
    libraries: driverLibraries(env),
  };
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

const runtimeVariables = [
  ...['HOME', 'USER', 'LOGNAME', 'XDG_RUNTIME_DIR', 'XDG_DATA_HOME', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME'],
  ...['APPTAINER_CACHEDIR', 'APPTAINER_TMPDIR', 'SINGULARITY_CACHEDIR', 'SINGULARITY_TMPDIR'],
  ...['CONTAINERS_CONF', 'CONTAINERS_STORAGE_CONF', 'CONTAINERS_REGISTRIES_CONF'],
];

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
